//! Tables whose rows have types: what is written is read, in the form that rows always had, and what
//! can't be read is told.

use neurite::store::{
    Batch, Direction, Erasure, Error, Json, Key, KeyOf, KeyRange, Nothing, Plain, RawJson, Rows,
    Store, Table, Text,
};
use serde_json::value::to_raw_value;

use super::place::{OTHER, TABLE};

const TEXTS: Rows<(String, u64, Vec<u8>), Json<Vec<u8>>> = Rows::new(TABLE, Erasure::Nobodys);
const NUMBERS: Rows<(String, u64), Text<String>> = Rows::new(OTHER, Erasure::Nobodys);
/// Those whose keys are not to be told.
const SECRETS: Rows<(String, u64), Json<u64>> = Rows::new(Table::Pushers, Erasure::Nobodys);

/// A store with five rows of `NUMBERS`, of which the second has another key and the fourth another
/// value.
async fn damaged() -> Store {
    let store = super::super::support::store().await;
    let mut batch = Batch::new();
    for number in [1, 3, 5] {
        NUMBERS.put(&mut batch, ("a", number), number.to_string());
    }
    batch.put(OTHER, Key::new().str("a").u64(2).u64(0), "two");
    batch.put(OTHER, Key::new().str("a").u64(4), [0xff]);
    NUMBERS.put(&mut batch, ("b", 1), "other");
    store.commit(batch).await.unwrap();
    store
}

fn told(cause: &Error) -> String {
    assert!(matches!(cause, Error::Corrupt(_)), "{cause:?}");
    cause.to_string()
}

tests! {
    async fn rows_have_the_keys_and_values_that_they_had_before_they_had_types() {
        let store = super::super::support::store().await;
        let mut batch = Batch::new();
        TEXTS.put(&mut batch, ("a\0b", 7, &b"\0"[..]), &vec![1, 2]).unwrap();
        NUMBERS.put(&mut batch, ("", u64::MAX), "text");
        NUMBERS.view::<(String,), Nothing>().put(&mut batch, ("nothing",));
        let raw = to_raw_value("raw").unwrap();
        NUMBERS.view::<(u64,), RawJson>().put(&mut batch, (1,), &raw);
        NUMBERS.view::<(u64,), Plain>().put(&mut batch, (2,), [0, 1]);
        NUMBERS.view::<(u64,), KeyOf<(String, u64)>>().put(&mut batch, (3,), ("a", 1));
        store.commit(batch).await.unwrap();
        let row = store.get(TABLE, b"a\0\xffb\0\0\0\0\0\0\0\0\0\x07\0\xff\0\0").await.unwrap();
        assert_eq!(row.as_deref(), Some(&b"[1,2]"[..]));
        let rows = store.scan(OTHER, KeyRange::all(), Direction::Forward, 9).await.unwrap();
        let expected: [(&[u8], &[u8]); 5] = [
            (b"\0\0\0\0\0\0\0\x01", b"\"raw\""),
            (b"\0\0\0\0\0\0\0\x02", b"\0\x01"),
            (b"\0\0\0\0\0\0\0\x03", b"a\0\0\0\0\0\0\0\0\0\x01"),
            (b"\0\0\xff\xff\xff\xff\xff\xff\xff\xff", b"text"),
            (b"nothing\0\0", b""),
        ];
        assert!(rows.iter().map(|(key, value)| (&**key, &**value)).eq(expected), "{rows:?}");
        assert_eq!(TEXTS.get(&store, ("a\0b", 7, &b"\0"[..])).await.unwrap(), Some(vec![1, 2]));
        let keys = TEXTS.scan(()).keys(&store).await.unwrap();
        assert_eq!(keys, [("a\0b".to_owned(), 7, vec![0])]);
        assert_eq!(TEXTS.scan(("a\0b",)).keys(&store).await.unwrap(), [(7, vec![0])]);
        let mut batch = Batch::new();
        TEXTS.delete(&mut batch, ("a\0b", 7, &b"\0"[..]));
        store.commit(batch).await.unwrap();
        assert!(TEXTS.scan(()).is_empty(&store).await.unwrap());
        assert_eq!(TEXTS.get(&store, ("a\0b", 7, &b"\0"[..])).await.unwrap(), None);
    }

    async fn scans_have_the_rows_of_a_prefix_and_no_others() {
        let store = super::super::support::store().await;
        let mut batch = Batch::new();
        for (text, number) in [("a", 1), ("a", 2), ("a", 3), ("a", 4), ("aa", 1), ("b", 2)] {
            NUMBERS.put(&mut batch, (text, number), text);
        }
        store.commit(batch).await.unwrap();
        let of = |text| NUMBERS.scan((text,));
        let numbers = async |scan: neurite::store::Scan<(u64,), Text<String>>| {
            let keys = scan.keys(&store).await.unwrap().into_iter();
            keys.map(|(number,)| number).collect::<Vec<_>>()
        };
        assert_eq!(numbers(of("a")).await, [1, 2, 3, 4]);
        assert_eq!(numbers(of("a").backward().limit(2)).await, [4, 3]);
        assert_eq!(numbers(of("a").starting_at((2,)).until((4,))).await, [2, 3]);
        assert_eq!(numbers(of("a").after((2,)).backward()).await, [4, 3]);
        assert_eq!(numbers(of("a").of((2,))).await, [2]);
        assert_eq!(numbers(of("c")).await, [0; 0]);
        let all = NUMBERS.view::<(u64,), Nothing>();
        let mut batch = Batch::new();
        all.put(&mut batch, (u64::MAX,));
        store.commit(batch).await.unwrap();
        assert!(all.scan(()).after((u64::MAX,)).is_empty(&store).await.unwrap());
        let first = of("a").first(&store).await.unwrap();
        assert_eq!(first, Some(((1,), "a".to_owned())));
        for backward in [false, true] {
            let mut scan = if backward { of("a").backward() } else { of("a") };
            let mut pages = Vec::new();
            while let Some(page) = scan.next_page(&store, 3).await.unwrap() {
                pages.push(page.into_iter().map(|((number,), _)| number).collect::<Vec<_>>());
            }
            let expected = if backward { [vec![4, 3, 2], vec![1]] } else { [vec![1, 2, 3], vec![4]] };
            assert_eq!(pages, expected);
        }
        let mut texts = NUMBERS.scan(());
        let mut found = Vec::new();
        while let Some((text, _)) = texts.next_key(&store).await.unwrap() {
            texts = texts.after((&text,));
            found.push(text);
            if found.len() == 3 {
                break;
            }
        }
        assert_eq!(found, ["a", "aa", "b"]);
        of("a").trim(&store, 1, |_, last| assert_eq!(last, (3,))).await.unwrap();
        assert_eq!(numbers(of("a")).await, [4]);
        let mut batch = Batch::new();
        assert_eq!(of("a").delete(&store, &mut batch).await.unwrap(), 1);
        store.commit(batch).await.unwrap();
        assert!(of("a").is_empty(&store).await.unwrap() && !of("b").is_empty(&store).await.unwrap());
    }

    async fn a_row_that_cannot_be_read_is_told_with_table_and_key() {
        let store = damaged().await;
        let key = told(&NUMBERS.scan(("a",)).keys(&store).await.unwrap_err());
        assert!(key.contains(r"Feed") && key.contains(r"a\x00\x00"), "{key}");
        let value = told(&NUMBERS.get(&store, ("a", 4)).await.unwrap_err());
        assert!(value.contains("Feed") && value.contains(r"\x04: it is not UTF-8"), "{value}");
        assert!(NUMBERS.scan(("a",)).starting_at((3,)).rows(&store).await.is_err());
        assert!(NUMBERS.scan(("a",)).starting_at((3,)).values(&store).await.is_err());
        assert!(NUMBERS.scan(("a",)).after((1,)).first_key(&store).await.is_err());
        assert_eq!(NUMBERS.scan(("b",)).rows(&store).await.unwrap().len(), 1);
        let mut batch = Batch::new();
        batch.put(Table::Pushers, Key::new().str("secret").u64(1), "\"secret\"");
        store.commit(batch).await.unwrap();
        for cause in [
            SECRETS.get(&store, ("secret", 1)).await.unwrap_err(),
            SECRETS.scan(()).rows(&store).await.unwrap_err(),
            SECRETS.unreadable(("secret", 1), &"it is \"secret\""),
        ] {
            let cause = told(&cause);
            assert!(cause.contains("Pushers") && !cause.contains("secret"), "{cause}");
        }
    }

    async fn what_does_not_need_a_row_that_cannot_be_read_goes_on_without_it() {
        let store = damaged().await;
        let of = || NUMBERS.scan(("a",));
        let readable = of().readable(&store).await.unwrap();
        assert_eq!(readable, [1, 3, 5].map(|number| ((number,), number.to_string())));
        assert_eq!(of().readable_keys(&store).await.unwrap(), [(1,), (3,), (4,), (5,)]);
        let mut scan = of();
        let mut found = Vec::new();
        while let Some((number,)) = scan.next_key(&store).await.unwrap() {
            found.push(number);
        }
        assert_eq!(found, [1, 3, 4, 5]);
        // They count, and go when it is their turn.
        of().trim(&store, 2, |_, last| assert_eq!(last, (3,))).await.unwrap();
        assert_eq!(of().readable_keys(&store).await.unwrap(), [(4,), (5,)]);
    }
}
