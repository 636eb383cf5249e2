// Encrypted attachments. spec: client-server §Sending encrypted attachments

/** `EncryptedFile` without its `url`. */
export interface Secrets {
  v: "v2";
  key: { kty: "oct"; key_ops: string[]; alg: "A256CTR"; k: string; ext: true };
  iv: string;
  hashes: { sha256: string };
}

export async function encryptFile(plain: ArrayBuffer): Promise<{ ciphertext: ArrayBuffer; secrets: Secrets }> {
  // The lower half is the counter and starts at zero.
  const iv = new Uint8Array(16);
  crypto.getRandomValues(iv.subarray(0, 8));
  const key = await crypto.subtle.generateKey({ name: "AES-CTR", length: 256 }, true, ["encrypt", "decrypt"]);
  const ciphertext = await crypto.subtle.encrypt({ name: "AES-CTR", counter: iv, length: 64 }, key, plain);
  const { k } = await crypto.subtle.exportKey("jwk", key);
  return {
    ciphertext,
    secrets: {
      v: "v2",
      key: { kty: "oct", key_ops: ["encrypt", "decrypt"], alg: "A256CTR", k: k!, ext: true },
      iv: toBase64(iv),
      hashes: { sha256: toBase64(await sha256(ciphertext)) },
    },
  };
}

export async function decryptFile(ciphertext: ArrayBuffer, { key, iv, hashes }: Secrets): Promise<ArrayBuffer> {
  if (toBase64(await sha256(ciphertext)) !== hashes.sha256.replace(/=+$/, "")) {
    throw new Error("The file is not the one that was sent.");
  }
  const secret = await crypto.subtle.importKey("jwk", key, "AES-CTR", false, ["decrypt"]);
  return crypto.subtle.decrypt({ name: "AES-CTR", counter: fromBase64(iv), length: 64 }, secret, ciphertext);
}

const sha256 = async (data: ArrayBuffer) => new Uint8Array(await crypto.subtle.digest("SHA-256", data));

/** Unpadded, as Matrix has it. */
const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes)).replace(/=+$/, "");

const fromBase64 = (text: string) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
