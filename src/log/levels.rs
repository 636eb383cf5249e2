//! What somebody wants to hear.

use std::collections::BTreeMap;

use tracing::level_filters::LevelFilter;

use super::PARTS;

/// A level for each part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels([LevelFilter; PARTS.len()]);

impl Levels {
    /// The same level for all parts.
    pub fn all(level: LevelFilter) -> Self {
        Self([level; PARTS.len()])
    }

    /// The levels by the names of the parts, of which none is left out.
    ///
    /// # Errors
    /// What is wrong, for whoever wrote the option.
    pub fn read(named: &BTreeMap<String, String>) -> Result<Self, String> {
        if let Some(name) = named.keys().find(|name| !PARTS.contains(&name.as_str())) {
            return Err(format!("there is no part {name}"));
        }
        let mut levels = Self::all(LevelFilter::OFF);
        for (part, level) in PARTS.iter().zip(&mut levels.0) {
            let name = named.get(*part).ok_or_else(|| format!("{part} has no level"))?;
            *level = parse(name).ok_or_else(|| format!("{part}: there is no level {name}"))?;
        }
        Ok(levels)
    }

    pub(super) fn of(&self, part: usize) -> LevelFilter {
        self.0[part]
    }

    pub(super) fn most(&self) -> LevelFilter {
        self.0.into_iter().max().unwrap_or(LevelFilter::OFF)
    }
}

fn parse(level: &str) -> Option<LevelFilter> {
    Some(match level {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return None,
    })
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Messages, from these levels on.
    pub levels: Levels,
    /// Whether spans are measured.
    pub spans: bool,
}

impl Wanted {
    /// Nothing at all.
    pub fn nothing() -> Self {
        Self { levels: Levels::all(LevelFilter::OFF), spans: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(level: &str) -> BTreeMap<String, String> {
        PARTS.iter().map(|part| ((*part).to_owned(), level.to_owned())).collect()
    }

    #[test]
    fn each_part_has_its_level() {
        let mut named = all("warn");
        named.insert("queue".to_owned(), "debug".to_owned());
        named.insert("store".to_owned(), "off".to_owned());
        let levels = Levels::read(&named).unwrap();
        for (index, part) in PARTS.iter().enumerate() {
            let expected = match *part {
                "queue" => LevelFilter::DEBUG,
                "store" => LevelFilter::OFF,
                _ => LevelFilter::WARN,
            };
            assert_eq!(levels.of(index), expected, "{part}");
        }
        assert_eq!(levels.most(), LevelFilter::DEBUG);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut named = all("warn");
        named.insert("queue".to_owned(), "loud".to_owned());
        assert_eq!(Levels::read(&named).unwrap_err(), "queue: there is no level loud");
        named.remove("queue");
        assert_eq!(Levels::read(&named).unwrap_err(), "queue has no level");
        named.insert("attic".to_owned(), "warn".to_owned());
        assert_eq!(Levels::read(&named).unwrap_err(), "there is no part attic");
    }
}
