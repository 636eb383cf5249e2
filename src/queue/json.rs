//! JSON as Go's `encoding/json` reads it: `null` is the same as a missing field, and the empty
//! value where a value is needed.

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, Error as _, IntoDeserializer, Unexpected, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::{Error, Value, error::Result};

/// A value as Go's `encoding/json` takes it.
pub(super) struct Json {
    value: Value,
    /// Whether unknown fields are refused, in it and below.
    strict: bool,
}

impl Json {
    pub(super) fn read(payload: &[u8]) -> Result<Self> {
        Ok(Self { value: serde_json::from_slice(payload)?, strict: false })
    }

    /// Whether it is an object without fields.
    pub(super) fn is_empty_object(&self) -> bool {
        self.value.as_object().is_some_and(serde_json::Map::is_empty)
    }

    /// Takes a field out of an object.
    pub(super) fn take(&mut self, field: &str) -> Option<Self> {
        let value = self.value.as_object_mut()?.remove(field)?;
        Some(Self { value, strict: self.strict })
    }

    /// Its value; unknown fields are ignored.
    pub(super) fn parse<T: DeserializeOwned>(self) -> Result<T> {
        T::deserialize(self)
    }

    /// Its value; unknown fields are refused.
    pub(super) fn parse_strictly<T: DeserializeOwned>(self) -> Result<T> {
        T::deserialize(Self { strict: true, ..self })
    }
}

/// The value of JSON; unknown fields are ignored.
pub(super) fn parse<T: DeserializeOwned>(payload: &[u8]) -> Result<T> {
    Json::read(payload)?.parse()
}

impl<'de> IntoDeserializer<'de, Error> for Json {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Reads a value of some kind, or the empty one for `null`.
macro_rules! or_empty {
    ($($method:ident => $visitor:ident . $visit:ident ( $($empty:expr)? );)*) => {$(
        fn $method<V: Visitor<'de>>(self, $visitor: V) -> Result<V::Value> {
            match self.value {
                Value::Null => $visitor.$visit($($empty)?),
                _ => self.deserialize_any($visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Json {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let strict = self.strict;
        let within = |value| Self { value, strict };
        match self.value {
            Value::Array(values) => {
                visitor.visit_seq(SeqDeserializer::new(values.into_iter().map(within)))
            }
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(name, value)| (name, within(value)));
                visitor.visit_map(MapDeserializer::new(fields))
            }
            value => value.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match &mut self.value {
            Value::Null => self.value = Value::Object(serde_json::Map::new()),
            Value::Object(fields) => {
                let unknown = |field: &&String| !known.contains(&field.as_str());
                if let Some(field) = fields.keys().find(unknown).filter(|_| self.strict) {
                    return Err(Error::custom(format!("json: unknown field {field:?}")));
                }
                fields.retain(|_, value| !value.is_null());
            }
            Value::Array(_) => return Err(Error::invalid_type(Unexpected::Seq, &visitor)),
            _ => {}
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.value.deserialize_enum(name, variants, visitor)
    }

    or_empty! {
        deserialize_bool => visitor.visit_bool(false);
        deserialize_i8 => visitor.visit_i64(0);
        deserialize_i16 => visitor.visit_i64(0);
        deserialize_i32 => visitor.visit_i64(0);
        deserialize_i64 => visitor.visit_i64(0);
        deserialize_u8 => visitor.visit_u64(0);
        deserialize_u16 => visitor.visit_u64(0);
        deserialize_u32 => visitor.visit_u64(0);
        deserialize_u64 => visitor.visit_u64(0);
        deserialize_f32 => visitor.visit_f64(0.0);
        deserialize_f64 => visitor.visit_f64(0.0);
        deserialize_str => visitor.visit_str("");
        deserialize_string => visitor.visit_str("");
        deserialize_seq => visitor.visit_seq(SeqDeserializer::new(std::iter::empty::<Self>()));
        deserialize_map =>
            visitor.visit_map(MapDeserializer::new(std::iter::empty::<(String, Self)>()));
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Outer {
        inner: Inner,
        inners: Vec<Inner>,
        names: Vec<String>,
        notes: BTreeMap<String, String>,
        kind: Kind,
        number: Option<u64>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Inner {
        name: String,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        #[default]
        One,
        Two,
    }

    fn strictly(text: &str) -> Result<Outer> {
        Json::read(text.as_bytes())?.parse_strictly()
    }

    #[test]
    fn unknown_fields_are_refused_wherever_they_are() {
        let parsed = strictly(r#"{"inner":{"name":null},"number":7,"kind":"two"}"#).unwrap();
        assert_eq!(parsed, Outer { number: Some(7), kind: Kind::Two, ..Outer::default() });
        for wrong in [r#"{"inner":{"nam":1}}"#, r#"{"inners":[{"nam":null}]}"#] {
            let refused = strictly(wrong).unwrap_err();
            assert_eq!(refused.to_string(), r#"json: unknown field "nam""#);
            assert!(parse::<Outer>(wrong.as_bytes()).is_ok());
        }
        for wrong in ["{", "[]", "7", r#"{"number":"a"}"#, r#"{"kind":"three"}"#] {
            assert!(strictly(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn null_says_nothing() {
        let fields = ["inner", "inners", "names", "notes", "kind", "number"];
        for text in fields.map(|field| format!("{{{field:?}:null}}")) {
            assert_eq!(strictly(&text).unwrap(), Outer::default(), "{text}");
        }
        assert_eq!(strictly("null").unwrap(), Outer::default());
    }

    #[test]
    fn null_is_the_empty_value_in_lists_and_maps() {
        let text = r#"{"inners":[null],"names":["a",null],"notes":{"a":null,"b":"c"}}"#;
        let parsed = strictly(text).unwrap();
        assert_eq!(parsed.inners, [Inner::default()]);
        assert_eq!(parsed.names, ["a", ""]);
        let notes = [("a", ""), ("b", "c")].map(|(name, note)| (name.to_owned(), note.to_owned()));
        assert_eq!(parsed.notes, BTreeMap::from(notes));
    }
}
