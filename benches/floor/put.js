// What is beneath a durable write: one strict IndexedDB put of 700 bytes.

const database = new Promise((resolve, reject) => {
  const request = indexedDB.open("floor", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("records");
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
const record = crypto.getRandomValues(new Uint8Array(700));
let key = Date.now() * 1000;

export async function put() {
  const connection = await database;
  return new Promise((resolve, reject) => {
    const transaction = connection.transaction("records", "readwrite", { durability: "strict" });
    transaction.objectStore("records").put(record, key++);
    transaction.commit();
    transaction.oncomplete = () => resolve();
    transaction.onerror = () => reject(transaction.error);
  });
}
