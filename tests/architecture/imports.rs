//! Which file imports which.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// For each file those that it imports from, by their paths in the repository.
pub type Imports = BTreeMap<String, BTreeSet<String>>;

/// The imports among the crate's source files, without those of tests in them. What a module
/// re-exports counts as the file's that has it; and what a file takes from the module that
/// it is in is no import: they are one.
pub fn sources(root: &Path) -> Imports {
    let mut modules = BTreeMap::new();
    for path in files(&root.join("src"), "rs") {
        let file = relative(root, &path);
        if !file.ends_with("/tests.rs") {
            modules
                .insert(module_of(&file), Module::read(file, &fs::read_to_string(path).unwrap()));
        }
    }
    let mut imports = Imports::new();
    for (name, module) in &modules {
        let mut files = BTreeSet::new();
        for path in &module.paths {
            let Some(target) = resolve(&modules, name, path, 0) else { continue };
            if !name.starts_with(&target) {
                files.insert(modules[&target].file.clone());
            }
        }
        imports.insert(module.file.clone(), files);
    }
    imports
}

/// The imports among the scripts in a folder.
pub fn scripts(root: &Path, folder: &str) -> Imports {
    let paths = files(&root.join(folder), "ts");
    let known: BTreeSet<_> = paths.iter().cloned().collect();
    let mut imports = Imports::new();
    for path in &paths {
        let text = fs::read_to_string(path).unwrap();
        let named = ["from \"", "import(\"", "import \""].iter().flat_map(|before| {
            text.match_indices(before)
                .map(|(at, _)| text[at + before.len()..].split('"').next().unwrap())
        });
        let others = named.filter(|name| name.starts_with('.')).map(|name| {
            let name = name.strip_suffix(".js").unwrap_or(name);
            normal(&path.parent().unwrap().join(format!("{name}.ts")))
        });
        let others = others.filter(|other| known.contains(other));
        imports.insert(relative(root, path), others.map(|other| relative(root, &other)).collect());
    }
    imports
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => _ = normal.pop(),
            other => normal.push(other),
        }
    }
    normal
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()
}

/// All files below a folder whose names end so.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|of| of == extension) {
            found.push(path);
        }
    }
    found
}

type Name = Vec<String>;

fn module_of(file: &str) -> Name {
    let name = file.strip_prefix("src/").and_then(|name| name.strip_suffix(".rs")).unwrap();
    let mut segments: Name = name.split('/').map(str::to_owned).collect();
    if matches!(segments.last().map(String::as_str), Some("mod" | "lib")) {
        segments.pop();
    }
    segments
}

/// A source file.
struct Module {
    file: String,
    /// Every path in it that may lead to another module.
    paths: Vec<Name>,
    /// What its `use` declarations call the ends of their paths.
    names: BTreeMap<String, Name>,
}

impl Module {
    fn read(file: String, text: &str) -> Self {
        let text = without_comments(text);
        let text = text.split("\nmod tests {").next().unwrap();
        let mut names = BTreeMap::new();
        let mut rest = String::new();
        for statement in text.split_inclusive(';') {
            match declaration(statement) {
                Some((before, tree)) => {
                    rest += before;
                    expand(&mut Vec::new(), tree, &mut names);
                }
                None => rest += statement,
            }
        }
        let mut paths: Vec<Name> = names.values().cloned().collect();
        paths.extend(paths_in(&rest));
        Self { file, paths, names }
    }
}

/// The tree of a `use` declaration at the end of `statement`, and what is before it.
fn declaration(statement: &str) -> Option<(&str, &str)> {
    let at = statement.rfind("\nuse ").map(|at| (at, 5));
    let at = at.or_else(|| statement.rfind(" use ").map(|at| (at, 5)));
    let (at, length) = at.or_else(|| statement.starts_with("use ").then_some((0, 4)))?;
    Some((&statement[..at], statement[at + length..].strip_suffix(';')?))
}

/// Takes a tree of paths apart.
fn expand(before: &mut Name, tree: &str, names: &mut BTreeMap<String, Name>) {
    let tree = tree.trim();
    if let Some(inner) = tree.strip_prefix('{').and_then(|tree| tree.strip_suffix('}')) {
        for branch in branches(inner) {
            expand(before, branch, names);
        }
        return;
    }
    let brace = tree.find('{').unwrap_or(tree.len());
    if let Some(at) = tree[..brace].find("::") {
        before.push(tree[..at].trim().to_owned());
        expand(before, &tree[at + 2..], names);
        before.pop();
    } else if !tree.is_empty() {
        let (end, name) = tree.split_once(" as ").unwrap_or((tree, tree));
        let mut path = before.clone();
        if end != "self" {
            path.push(end.to_owned());
        }
        let name = if name == "self" { path.last().unwrap().clone() } else { name.to_owned() };
        // Of those that have no name, or all names, only the path counts.
        let name = if matches!(name.as_str(), "_" | "*") { path.join("::") } else { name };
        names.insert(name, path);
    }
}

/// The parts between the commas that are in no inner braces.
fn branches(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[start..]);
    found
}

/// The paths in code.
fn paths_in(code: &str) -> Vec<Name> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c| !is_part(c)).filter(|word| word.contains("::"));
    words
        .map(|word| word.split("::").filter(|of| !of.is_empty()).map(str::to_owned).collect())
        .collect()
}

/// The source without comments, and without what is in strings.
fn without_comments(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        let mut in_string = false;
        let mut rest = line.char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            match c {
                '/' if !in_string && line[at..].starts_with("//") => break,
                '\\' if in_string => _ = rest.next(),
                '"' => in_string = !in_string,
                _ if in_string => {}
                _ => code.push(c),
            }
        }
        code.push('\n');
    }
    code
}

/// The module that has what a path names, if it is one of the crate's.
fn resolve(
    modules: &BTreeMap<Name, Module>,
    from: &Name,
    path: &Name,
    depth: usize,
) -> Option<Name> {
    // Two modules that re-export from each other would go on for ever.
    if depth > 16 || path.is_empty() {
        return None;
    }
    let mut module = from.clone();
    let mut rest = &path[..];
    match path[0].as_str() {
        "crate" => module.clear(),
        "self" => {}
        "super" => _ = module.pop()?,
        first if modules.contains_key(&[&from[..], &[first.to_owned()]].concat()) => {
            return descend(modules, module, rest, depth);
        }
        first => {
            let named = modules[from].names.get(first)?;
            if named == path || named.first() == path.first() {
                return None;
            }
            return resolve(modules, from, &[&named[..], &path[1..]].concat(), depth + 1);
        }
    }
    rest = &rest[1..];
    while rest.first().is_some_and(|segment| segment == "super") {
        module.pop()?;
        rest = &rest[1..];
    }
    descend(modules, module, rest, depth)
}

fn descend(
    modules: &BTreeMap<Name, Module>,
    mut module: Name,
    mut rest: &[String],
    depth: usize,
) -> Option<Name> {
    while let [segment, more @ ..] = rest {
        let inner = [&module[..], std::slice::from_ref(segment)].concat();
        if modules.contains_key(&inner) {
            (module, rest) = (inner, more);
        } else if let Some(named) = modules.get(&module)?.names.get(segment) {
            let path = [&named[..], more].concat();
            return resolve(modules, &module, &path, depth + 1).or(Some(module));
        } else {
            break;
        }
    }
    modules.contains_key(&module).then_some(module)
}
