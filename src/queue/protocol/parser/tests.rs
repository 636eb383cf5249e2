use super::*;

/// All commands in `pieces`, and what ended them.
fn read(pieces: &[&[u8]]) -> (Vec<Command>, Option<Error>) {
    let mut parser = Parser::new(1000);
    let mut commands = Vec::new();
    for piece in pieces {
        parser.feed(Bytes::copy_from_slice(piece));
        loop {
            match parser.next_command() {
                Ok(Some(command)) => commands.push(command),
                Ok(None) => break,
                Err(error) => return (commands, Some(error)),
            }
        }
    }
    (commands, None)
}

fn publish(
    subject: &'static str,
    reply: Option<&'static str>,
    headers: &'static str,
    payload: &'static str,
) -> Command {
    Command::Publish(Publish {
        subject: subject.into(),
        reply: reply.map(Into::into),
        headers: headers.into(),
        payload: payload.into(),
    })
}

const ALL: &[u8] = b"CONNECT {\"verbose\": true}\r\nPING\r\nping\nPONG\r\n\
    PUB a.b 5\r\nhello\r\npub\ta.b  answer 2\r\n\r\n\r\nPUB a 0\r\n\r\n\
    HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\nHPUB a r 12 12\r\nNATS/1.0\r\n\r\n\r\n\
    SUB a.* 1\r\nSUB a.> group 22\r\nUNSUB 1\r\nUNSUB 22 7\r\n+OK\r\nINFO {}\r\n";

fn all() -> Vec<Command> {
    vec![
        Command::Connect("{\"verbose\": true}".into()),
        Command::Ping,
        Command::Ping,
        Command::Pong,
        publish("a.b", None, "", "hello"),
        publish("a.b", Some("answer"), "", "\r\n"),
        publish("a", None, "", ""),
        publish("a", None, "NATS/1.0\r\n\r\n", "hi"),
        publish("a", Some("r"), "NATS/1.0\r\n\r\n", ""),
        Command::Subscribe { subject: "a.*".into(), queue_group: None, sid: "1".into() },
        Command::Subscribe {
            subject: "a.>".into(),
            queue_group: Some("group".into()),
            sid: "22".into(),
        },
        Command::Unsubscribe { sid: "1".into(), max: 0 },
        Command::Unsubscribe { sid: "22".into(), max: 7 },
        Command::Nothing,
        Command::Nothing,
    ]
}

#[test]
fn commands_are_read() {
    assert_eq!(read(&[ALL]), (all(), None));
}

#[test]
fn pieces_may_end_anywhere() {
    let bytes: Vec<_> = ALL.chunks(1).collect();
    assert_eq!(read(&bytes), (all(), None));
    for at in 0..ALL.len() {
        let (before, after) = ALL.split_at(at);
        assert_eq!(read(&[before, after]), (all(), None), "split at {at}");
    }
}

#[test]
fn what_is_no_command_is_refused() {
    let cases: [(&[u8], Error); 15] = [
        (b"\r\n", Error::UnknownOperation),
        (b" PING\r\n", Error::UnknownOperation),
        (b"FOO\r\n", Error::UnknownOperation),
        (b"MSG a 1 0\r\n", Error::UnknownOperation),
        (b"-ERR 'x'\r\n", Error::UnknownOperation),
        (b"PUB a 1\r\naaa", Error::UnknownOperation),
        (b"PUB a\r\n", Error::Parser),
        (b"PUB a b c 1\r\n", Error::Parser),
        (b"PUB a -1\r\n", Error::Parser),
        (b"PUB a 1001\r\n", Error::MaxPayload),
        (b"PUB a 99999999999999999999\r\n", Error::Parser),
        (b"HPUB a 5 4\r\n", Error::Parser),
        (b"SUB a\r\n", Error::Parser),
        (b"SUB a b c d\r\n", Error::Parser),
        (b"UNSUB\r\n", Error::Parser),
    ];
    for (bytes, error) in cases {
        assert_eq!(read(&[bytes]), (vec![], Some(error)), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_line_without_end_is_refused() {
    let line = vec![b'a'; MAX_CONTROL_LINE + 1];
    assert_eq!(read(&[&line]).1, Some(Error::MaxControlLine));
    let (half, other) = line.split_at(3000);
    assert_eq!(read(&[half, other]).1, Some(Error::MaxControlLine));
    assert_eq!(read(&[half]).1, None);
}

#[test]
fn a_message_in_one_piece_is_not_copied() {
    let mut parser = Parser::new(1000);
    let piece = Bytes::from_static(b"PUB a 5\r\nhello\r\n");
    parser.feed(piece.clone());
    let Ok(Some(Command::Publish(Publish { payload, .. }))) = parser.next_command() else {
        panic!("it is there");
    };
    assert_eq!(payload.as_ptr(), piece[9..].as_ptr());
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let words = "(PUB|HPUB|SUB|UNSUB|PING|CONNECT|[A-Z+-]{1,5}) [a-z.*> 0-9\t]{0,12}\r?\n";
        let message = vec(any::<u8>(), 0..40).prop_map(|payload| {
            let head = format!("HPUB a b {} {}\r\n", payload.len() / 2, payload.len());
            [head.as_bytes(), &payload, b"\r\n"].concat()
        });
        prop_oneof![
            words.prop_map(String::into_bytes),
            message,
            vec(any::<u8>(), 0..20),
            Just(b"SUB a 1\r\n".to_vec()),
        ]
    }

    proptest! {
        /// However the bytes are cut, they say the same.
        #[test]
        fn cuts_do_not_matter(lines in vec(line(), 0..8), cuts in vec(0usize..300, 0..12)) {
            let bytes = lines.concat();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(read(&pieces), read(&[&bytes]));
        }
    }
}
