//! A real nats-server of the test's own, and a small client of it.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use neurite::{platform, queue::CoreMessage};

/// Ends with this.
pub struct Server {
    process: Child,
    port: u16,
    folder: PathBuf,
}

/// A connection; blocks, which is nobody's loss here.
pub struct Tcp {
    stream: RefCell<TcpStream>,
    buffer: RefCell<Vec<u8>>,
    heard: RefCell<HashMap<u64, Vec<CoreMessage>>>,
    subscriptions: Cell<u64>,
}

/// The version of the nats-server that is on the PATH, if there is one.
pub fn version() -> Option<String> {
    let output = Command::new("nats-server").arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(said.trim().rsplit_once('v')?.1.to_owned())
}

impl Server {
    pub fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("nats-{}", platform::random_string(12)));
        // Free at this moment; somebody else may be quicker, then it is tried again.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let process = Command::new("nats-server")
                .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
                .arg(&folder)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut server = Self { process, port, folder: folder.clone() };
            let until = Instant::now() + Duration::from_secs(10);
            while Instant::now() < until {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return server;
                }
                if !matches!(server.process.try_wait(), Ok(None)) {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        panic!("nats-server does not start");
    }

    pub fn connect(&self) -> Rc<Tcp> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let tcp = Tcp {
            stream: RefCell::new(stream),
            buffer: RefCell::default(),
            heard: RefCell::default(),
            subscriptions: Cell::new(0),
        };
        tcp.send(
            b"CONNECT {\"headers\":true,\"no_responders\":true,\"verbose\":false,\"pedantic\":false}\r\nPING\r\n",
        );
        Rc::new(tcp)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Tcp {
    fn send(&self, bytes: &[u8]) {
        self.stream.borrow_mut().write_all(bytes).unwrap();
    }

    pub fn subscribe(&self, filter: &str) -> u64 {
        let sid = self.subscriptions.get() + 1;
        self.subscriptions.set(sid);
        self.send(format!("SUB {filter} {sid}\r\n").as_bytes());
        sid
    }

    pub fn publish(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: &[(&str, &str)],
        payload: &[u8],
    ) {
        let reply = reply.unwrap_or_default();
        let mut frame = if headers.is_empty() {
            format!("PUB {subject} {reply} {}\r\n", payload.len())
        } else {
            let lines: String =
                headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let block = format!("NATS/1.0\r\n{lines}\r\n");
            let total = block.len() + payload.len();
            format!("HPUB {subject} {reply} {} {total}\r\n{block}", block.len())
        }
        .into_bytes();
        frame.extend_from_slice(payload);
        frame.extend_from_slice(b"\r\n");
        self.send(&frame);
    }

    /// The next message of a subscription, unless none comes for so long.
    pub fn next(&self, sid: u64, patience: Duration) -> Option<CoreMessage> {
        let until = Instant::now() + patience;
        loop {
            if let Some(messages) = self.heard.borrow_mut().get_mut(&sid)
                && !messages.is_empty()
            {
                return Some(messages.remove(0));
            }
            while self.take_one() {}
            if self.heard.borrow().get(&sid).is_some_and(|messages| !messages.is_empty()) {
                continue;
            }
            let left = until.checked_duration_since(Instant::now())?;
            let stream = &mut *self.stream.borrow_mut();
            stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
            let mut piece = [0; 65536];
            if let Ok(length) = stream.read(&mut piece) {
                assert!(length > 0, "nats-server closed the connection");
                self.buffer.borrow_mut().extend_from_slice(&piece[..length]);
            }
        }
    }

    /// Takes one line, with its payload, out of the buffer; false when it is not there yet.
    fn take_one(&self) -> bool {
        let mut buffer = self.buffer.borrow_mut();
        let Some(end) = buffer.windows(2).position(|two| two == b"\r\n") else { return false };
        let line = String::from_utf8_lossy(&buffer[..end]).into_owned();
        let parts: Vec<_> = line.split(' ').collect();
        let (with_headers, numbers) = match parts[0] {
            "MSG" => (false, 1),
            "HMSG" => (true, 2),
            "PING" => {
                buffer.drain(..end + 2);
                drop(buffer);
                self.send(b"PONG\r\n");
                return true;
            }
            "-ERR" => panic!("{line}"),
            _ => {
                buffer.drain(..end + 2);
                return true;
            }
        };
        let number = |from_end: usize| parts[parts.len() - from_end].parse::<usize>().unwrap();
        let total = number(1);
        if buffer.len() < end + 2 + total + 2 {
            return false;
        }
        let head = if with_headers { number(2) } else { 0 };
        let body = Bytes::copy_from_slice(&buffer[end + 2..end + 2 + total]);
        let reply = (parts.len() == 4 + numbers && !parts[3].is_empty()).then(|| parts[3].into());
        let message = CoreMessage {
            subject: parts[1].into(),
            reply,
            headers: body.slice(..head),
            payload: body.slice(head..),
        };
        let sid = parts[2].parse().unwrap();
        buffer.drain(..end + 2 + total + 2);
        self.heard.borrow_mut().entry(sid).or_default().push(message);
        true
    }
}
