//! The source is as docs/architecture.md has it: a part of the crate uses those above it in the
//! table there and no others, and no files import each other in a circle.

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

/// The parts of the crate with the rows that they have in the table, from the ground up.
fn rows() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let (_, table) = text.split_once("| part | what it is |").unwrap();
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

/// The part that a source file belongs to; none has the root, which only names the parts.
fn part(file: &str) -> Option<&str> {
    let name = file.strip_prefix("src/").unwrap();
    let name = name.split_once('/').map_or(name, |(folder, _)| folder);
    let name = name.strip_suffix(".rs").unwrap_or(name);
    (name != "lib").then_some(name)
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

#[test]
fn parts_use_those_above_them_only() {
    let rows = rows();
    let imports = sources(root());
    let mut wrong = Vec::new();
    for (file, others) in &imports {
        let Some(of) = part(file) else { continue };
        let Some(row) = rows.get(of) else {
            wrong.push(format!("{file}: {of} is not in the table"));
            continue;
        };
        for other in others {
            let Some(used) = part(other).filter(|used| *used != of) else { continue };
            if rows.get(used).is_none_or(|used| used >= row) {
                wrong.push(format!("{file} uses {other}, which is not above it"));
            }
        }
    }
    let named: BTreeSet<_> = imports.keys().filter_map(|file| part(file)).collect();
    wrong.extend(
        rows.keys()
            .filter(|row| !named.contains(row.as_str()))
            .map(|row| format!("there is no {row}")),
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
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
