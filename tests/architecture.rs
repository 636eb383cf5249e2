//! The source is as docs/architecture.md has it: a part of the crate uses those above it in the
//! table there and no others, and no files import each other in a circle. The same goes for the
//! parts of the queue and the table in docs/queue.md.

#![cfg(not(target_arch = "wasm32"))]

#[path = "architecture/imports.rs"]
mod imports;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use imports::{Imports, scripts, sources};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The parts in the table below `head`, with the rows that they have there, from the ground up.
fn rows(document: &str, head: &str) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let (_, table) = text.split_once(head).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut parts = BTreeMap::new();
    for (row, line) in rows.enumerate() {
        let names = line.split('|').nth(1).unwrap();
        for name in names.split('`').skip(1).step_by(2) {
            assert_eq!(parts.insert(name.to_owned(), row), None, "{name} is in the table twice");
        }
    }
    parts
}

/// The part of `folder` that a source file belongs to; none has the root, which only names the
/// parts.
fn part<'a>(folder: &str, file: &'a str) -> Option<&'a str> {
    let name = file.strip_prefix(folder)?;
    let name = name.split_once('/').map_or(name, |(folder, _)| folder);
    let name = name.strip_suffix(".rs").unwrap_or(name);
    (name != "lib" && name != "mod").then_some(name)
}

/// The files of each circle: those that import one another, be it by way of others.
fn circles(imports: &Imports) -> Vec<BTreeSet<&str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|file| (file.as_str(), reachable(imports, file))).collect();
    let mut circles = BTreeSet::new();
    for (file, from_here) in &reached {
        let both_ways = from_here.iter().filter(|other| reached[*other].contains(file));
        let circle: BTreeSet<_> = both_ways.copied().collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reachable<'a>(imports: &'a Imports, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&str> = imports[from].iter().map(String::as_str).collect();
    while let Some(file) = next.pop() {
        if found.insert(file) {
            next.extend(imports[file].iter().map(String::as_str));
        }
    }
    found
}

/// Circles as they are told: with the imports that tie each.
fn described(imports: &Imports, circles: &[BTreeSet<&str>]) -> String {
    let mut text = String::new();
    for circle in circles {
        text += "\na circle:\n";
        for file in circle {
            for other in imports[*file].iter().filter(|other| circle.contains(other.as_str())) {
                text += &format!("  {file} imports {other}\n");
            }
        }
    }
    text
}

/// What is wrong with the order of the parts of `folder`. Files that are no part of the table are
/// on the `ground`, if there is one.
fn disorder(folder: &str, rows: &BTreeMap<String, usize>, ground: Option<usize>) -> Vec<String> {
    let row = |part: &str| rows.get(part).copied().or(ground);
    let imports = sources(root());
    let mut wrong = Vec::new();
    for (file, others) in &imports {
        let Some(of) = part(folder, file) else { continue };
        let Some(above) = row(of) else {
            wrong.push(format!("{file}: {of} is not in the table"));
            continue;
        };
        for other in others {
            let Some(used) = part(folder, other).filter(|used| *used != of) else { continue };
            let on_the_ground = Some(above) == ground && row(used) == ground;
            if !on_the_ground && row(used).is_none_or(|used| used >= above) {
                wrong.push(format!("{file} uses {other}, which is not above it"));
            }
        }
    }
    let named: BTreeSet<_> = imports.keys().filter_map(|file| part(folder, file)).collect();
    wrong.extend(
        rows.keys()
            .filter(|row| !named.contains(row.as_str()))
            .map(|row| format!("there is no {row}")),
    );
    wrong
}

#[test]
fn parts_use_those_above_them_only() {
    let wrong = disorder("src/", &rows("docs/architecture.md", "| part | what it is |"), None);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn parts_of_the_queue_use_those_above_them_only() {
    let rows = rows("docs/queue.md", "| part of `src/queue` | what it is |");
    let wrong = disorder("src/queue/", &rows, Some(0));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// To all others the queue is a bus, so that another could stand there.
#[test]
fn few_parts_know_of_the_queue() {
    let imports = sources(root());
    let is_of_queue = |file: &String| part("src/", file) == Some("queue");
    let knowing = imports.iter().filter(|(_, others)| others.iter().any(is_of_queue));
    let knowing: BTreeSet<_> = knowing.filter_map(|(file, _)| part("src/", file)).collect();
    assert_eq!(knowing, ["bus", "homeserver", "queue", "services", "web"].into());
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = sources(root());
    let circles = circles(&imports);
    assert!(circles.is_empty(), "{}", described(&imports, &circles));
}

#[test]
fn no_scripts_import_each_other_in_a_circle() {
    let imports = scripts(root(), "worker");
    let circles = circles(&imports);
    assert!(circles.is_empty(), "{}", described(&imports, &circles));
}

/// Otherwise the others would pass for want of imports.
#[test]
fn imports_are_found() {
    let imports = sources(root());
    let sync = &imports["src/client_api/sync.rs"];
    for by_way_of_a_folder in ["src/http/response.rs", "src/client_api/api.rs", "src/error.rs"] {
        assert!(sync.contains(by_way_of_a_folder), "{sync:?}");
    }
    let folder = &imports["src/client_api/mod.rs"];
    assert!(folder.contains("src/client_api/sync.rs"), "{folder:?}");
    let in_code = &imports["src/store/engine/recovery.rs"];
    assert!(in_code.contains("src/store/engine/journal.rs"), "{in_code:?}");
    let scripts = scripts(root(), "worker");
    assert!(scripts.values().map(BTreeSet::len).sum::<usize>() > scripts.len(), "{scripts:?}");
}
