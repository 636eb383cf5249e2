//! Reads the commands of clients from bytes that come in pieces of any size.
//!
//! Messages are slices of the pieces that they came in; only what is spread over several pieces is
//! copied.

use bytes::{Bytes, BytesMut};

use crate::queue::error::ProtocolError as Error;

/// How long a line may be, as in nats-server.
const MAX_CONTROL_LINE: usize = 4096;

/// A command of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `CONNECT` with its JSON.
    Connect(Bytes),
    /// `PING`
    Ping,
    /// `PONG`
    Pong,
    /// `PUB` or `HPUB`.
    Publish(Publish),
    /// `SUB`
    Subscribe {
        /// The subjects.
        subject: Bytes,
        /// The queue group.
        queue_group: Option<Bytes>,
        /// The client's id of the subscription.
        sid: Bytes,
    },
    /// `UNSUB`
    Unsubscribe {
        /// The client's id of the subscription.
        sid: Bytes,
        /// After how many messages in all; 0: at once.
        max: u64,
    },
    /// `+OK` and `INFO`, which mean nothing to a server.
    Nothing,
}

/// A message that a client publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The subject.
    pub subject: Bytes,
    /// The subject for an answer.
    pub reply: Option<Bytes>,
    /// The header block of an `HPUB`; empty for a `PUB`.
    pub headers: Bytes,
    /// The payload.
    pub payload: Bytes,
}

/// A `PUB` or `HPUB` whose payload is still to come.
struct Head {
    subject: Bytes,
    reply: Option<Bytes>,
    header_size: usize,
    size: usize,
}

enum Line {
    Complete(Command),
    Head(Head),
}

/// Reads the commands of one client.
pub struct Parser {
    max_payload: usize,
    /// What came last and is not read yet.
    rest: Bytes,
    /// The beginning of the line or payload that goes on in `rest`.
    begun: BytesMut,
    head: Option<Head>,
}

impl Parser {
    /// A parser that refuses messages larger than `max_payload`.
    pub fn new(max_payload: usize) -> Self {
        Self { max_payload, rest: Bytes::new(), begun: BytesMut::new(), head: None }
    }

    /// Takes the next piece. What came before must have been read to its end with
    /// [`Parser::next_command`], or is lost.
    pub fn feed(&mut self, piece: Bytes) {
        self.rest = piece;
    }

    /// The next command; `None` when more has to come for it.
    ///
    /// # Errors
    /// When what came is no command. Nothing after it can be read.
    pub fn next_command(&mut self) -> Result<Option<Command>, Error> {
        if self.head.is_none() {
            let Some(line) = self.line()? else { return Ok(None) };
            match self.read(&line)? {
                Line::Complete(command) => return Ok(Some(command)),
                Line::Head(head) => self.head = Some(head),
            }
        }
        let Some(size) = self.head.as_ref().map(|head| head.size) else { return Ok(None) };
        let Some(mut payload) = self.take(size + 2) else { return Ok(None) };
        // It was there just above.
        let Some(head) = self.head.take() else { return Ok(None) };
        if *payload.split_off(size) != *b"\r\n" {
            return Err(Error::UnknownOperation);
        }
        let headers = payload.split_to(head.header_size);
        Ok(Some(Command::Publish(Publish {
            subject: head.subject,
            reply: head.reply,
            headers,
            payload,
        })))
    }

    /// The next line with its end.
    fn line(&mut self) -> Result<Option<Bytes>, Error> {
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        if self.begun.len() + end.unwrap_or(self.rest.len()) > MAX_CONTROL_LINE {
            return Err(Error::MaxControlLine);
        }
        match end {
            Some(end) => Ok(self.take(self.begun.len() + end + 1)),
            None => {
                self.begun.extend_from_slice(&self.rest);
                self.rest.clear();
                Ok(None)
            }
        }
    }

    /// The next `size` bytes, if so many have come.
    fn take(&mut self, size: usize) -> Option<Bytes> {
        if self.begun.is_empty() && self.rest.len() >= size {
            return Some(self.rest.split_to(size));
        }
        let missing = size - self.begun.len();
        self.begun.reserve(missing);
        let more = self.rest.split_to(missing.min(self.rest.len()));
        self.begun.extend_from_slice(&more);
        (more.len() == missing).then(|| self.begun.split().freeze())
    }

    fn read(&self, line: &Bytes) -> Result<Line, Error> {
        let mut words = line
            .split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
            .filter(|word| !word.is_empty());
        let slice = |word: &[u8]| line.slice_ref(word);
        // A line begins with its command.
        let name = words.next().filter(|name| line.starts_with(name)).unwrap_or_default();
        let is = |command: &str| name.eq_ignore_ascii_case(command.as_bytes());
        let complete = |command| Ok(Line::Complete(command));
        if is("PUB") || is("HPUB") {
            return self.head(line, is("HPUB"), words).map(Line::Head);
        }
        if is("PING") {
            return complete(Command::Ping);
        }
        if is("PONG") {
            return complete(Command::Pong);
        }
        if is("CONNECT") {
            let json = line[name.len()..].trim_ascii();
            return complete(Command::Connect(slice(json)));
        }
        if is("+OK") || is("INFO") {
            return complete(Command::Nothing);
        }
        let mut arguments = [words.next(), words.next(), words.next()];
        if words.next().is_some() {
            arguments = [None; 3];
        }
        if is("SUB") {
            return match arguments {
                [Some(subject), Some(sid), None] => complete(Command::Subscribe {
                    subject: slice(subject),
                    queue_group: None,
                    sid: slice(sid),
                }),
                [Some(subject), Some(group), Some(sid)] => complete(Command::Subscribe {
                    subject: slice(subject),
                    queue_group: Some(slice(group)),
                    sid: slice(sid),
                }),
                _ => Err(Error::Parser),
            };
        }
        if is("UNSUB") {
            return match arguments {
                [Some(sid), None, None] => {
                    complete(Command::Unsubscribe { sid: slice(sid), max: 0 })
                }
                [Some(sid), Some(max), None] => {
                    let max = number(max).ok_or(Error::Parser)? as u64;
                    complete(Command::Unsubscribe { sid: slice(sid), max })
                }
                _ => Err(Error::Parser),
            };
        }
        Err(Error::UnknownOperation)
    }

    /// `PUB subject [reply] size` and `HPUB subject [reply] header-size size`.
    fn head<'a>(
        &self,
        line: &Bytes,
        has_headers: bool,
        words: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Head, Error> {
        let mut arguments = [&[][..]; 4];
        let mut count = 0;
        for word in words {
            *arguments.get_mut(count).ok_or(Error::Parser)? = word;
            count += 1;
        }
        let (reply, header_size, size) = match (has_headers, count) {
            (false, 2) => (None, None, arguments[1]),
            (false, 3) => (Some(arguments[1]), None, arguments[2]),
            (true, 3) => (None, Some(arguments[1]), arguments[2]),
            (true, 4) => (Some(arguments[1]), Some(arguments[2]), arguments[3]),
            _ => return Err(Error::Parser),
        };
        let size = number(size).ok_or(Error::Parser)?;
        let header_size = header_size.map_or(Some(0), number).ok_or(Error::Parser)?;
        if size > self.max_payload {
            return Err(Error::MaxPayload);
        }
        if header_size > size {
            return Err(Error::Parser);
        }
        Ok(Head {
            subject: line.slice_ref(arguments[0]),
            reply: reply.map(|reply| line.slice_ref(reply)),
            header_size,
            size,
        })
    }
}

/// A number of at most nine digits, as in nats-server.
fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + usize::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests;
