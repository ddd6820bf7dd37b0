//! The paths that files under `src/` use outside of tests and documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::read_to_string;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Macro, UseTree};

/// A path from the root of the crate: modules, then an item.
type Names = Vec<String>;

/// A use of one layer by another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    pub(crate) layer: String,
    pub(crate) target: String,
    file: String,
    path: String,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            layer,
            target,
            file,
            path,
        } = self;
        write!(
            f,
            "src/{file}: `{layer}` does not know `{target}`, but uses {path}"
        )
    }
}

/// The modules of the crate by their paths.
#[derive(Default)]
pub(crate) struct Source {
    modules: BTreeMap<Names, Module>,
}

struct Module {
    file: String,
    /// The paths from the root that the module uses.
    paths: BTreeSet<Names>,
    /// The names that the module re-exports, and their origins.
    passed_on: BTreeMap<String, Names>,
}

impl Source {
    /// Reads all files under `folder` that are reachable from `lib.rs`.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut source = Self::default();
        let text = read_to_string(folder.join("lib.rs")).expect("lib.rs");
        source.add(folder, "lib.rs", &Vec::new(), &text);
        source
    }

    /// Reads a single file. Its name gives its module.
    pub(crate) fn of_file(file: &str, text: &str) -> Self {
        let mut source = Self::default();
        let module = file
            .trim_end_matches(".rs")
            .split('/')
            .map(str::to_owned)
            .collect();
        source.add(Path::new("/nowhere"), file, &module, text);
        source
    }

    fn add(&mut self, folder: &Path, file: &str, module: &Names, text: &str) {
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        self.add_items(folder, file, module, &parsed.items);
    }

    fn add_items(&mut self, folder: &Path, file: &str, module: &Names, items: &[Item]) {
        let mut paths = Paths {
            module,
            found: BTreeSet::new(),
            passed_on: BTreeMap::new(),
        };
        let mut inner = Vec::new();
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            match item {
                Item::Mod(item) => inner.push(item),
                item => paths.visit_item(item),
            }
        }
        let found = Module {
            file: file.to_owned(),
            paths: paths.found,
            passed_on: paths.passed_on,
        };
        self.modules.insert(module.clone(), found);
        for item in inner {
            let name = item.ident.to_string();
            let mut module = module.clone();
            module.push(name.clone());
            if let Some((_, items)) = &item.content {
                self.add_items(folder, file, &module, items);
                continue;
            }
            let own = module.join("/");
            let named = path_of(&item.attrs).map(|path| {
                let (parent, _) = file.rsplit_once('/').unwrap_or_default();
                format!("{parent}/{path}")
            });
            let candidates = [
                Some(format!("{own}.rs")),
                Some(format!("{own}/mod.rs")),
                named,
            ];
            let there = candidates
                .into_iter()
                .flatten()
                .find(|file| folder.join(file).exists());
            let Some(child) = there else {
                panic!("src/{file}: no file for `mod {name}`");
            };
            let text = read_to_string(folder.join(&child)).expect("it is there");
            self.add(folder, &child, &module, &text);
        }
    }

    /// Returns the layers: the folders and files directly in `src`.
    pub(crate) fn layers(&self) -> Vec<String> {
        let top = self.modules.keys().filter(|module| module.len() == 1);
        top.map(|module| module[0].clone()).collect()
    }

    /// Returns all uses of one layer by another.
    pub(crate) fn uses(&self) -> Vec<Use> {
        let mut uses = BTreeSet::new();
        for (module, about) in &self.modules {
            let Some(layer) = module.first() else {
                continue;
            };
            for path in about
                .paths
                .iter()
                .filter(|path| path.first() != Some(layer))
            {
                uses.insert(Use {
                    layer: layer.clone(),
                    target: path[0].clone(),
                    file: about.file.clone(),
                    path: path.join("::"),
                });
            }
        }
        uses.into_iter().collect()
    }

    /// Returns which file needs which other files. Files named `mod.rs` are left out. So are files
    /// whose names end in `error.rs`, because an error may name the type that it is about.
    pub(crate) fn files(&self) -> BTreeMap<String, BTreeSet<String>> {
        let counts = |file: &str| !file.ends_with("mod.rs") && !file.ends_with("error.rs");
        let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for about in self.modules.values().filter(|about| counts(&about.file)) {
            let needed = about.paths.iter().filter_map(|path| self.file_of(path));
            let needed = needed.filter(|file| counts(file) && *file != about.file);
            let entry = graph.entry(about.file.clone()).or_default();
            entry.extend(needed.map(str::to_owned));
        }
        graph
    }

    /// Returns the file that defines the item at a path.
    fn file_of(&self, path: &[String]) -> Option<&str> {
        let mut path = path.to_vec();
        // A name may be re-exported several times, but never in a cycle.
        for _ in 0..8 {
            let known = (0..=path.len())
                .rev()
                .find(|&end| self.modules.contains_key(&path[..end]))?;
            let about = &self.modules[&path[..known]];
            match path.get(known).and_then(|name| about.passed_on.get(name)) {
                Some(origin) if *origin != path => {
                    let rest = path.split_off(known + 1);
                    path = origin.clone();
                    path.extend(rest);
                }
                _ => return Some(&about.file),
            }
        }
        None
    }
}

/// Collects the paths of one module.
struct Paths<'a> {
    module: &'a [String],
    found: BTreeSet<Names>,
    passed_on: BTreeMap<String, Names>,
}

impl Paths<'_> {
    /// Returns the path from the root, if it is within the crate.
    fn absolute(&self, path: &[String]) -> Option<Names> {
        let supers = path.iter().take_while(|name| *name == "super").count();
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([self.module, &path[1..]].concat()),
            "super" => {
                let parent = self.module.len().checked_sub(supers)?;
                Some([&self.module[..parent], &path[supers..]].concat())
            }
            _ => None,
        }
    }

    fn note(&mut self, path: &[String]) {
        if let Some(path) = self.absolute(path).filter(|path| !path.is_empty()) {
            self.found.insert(path);
        }
    }

    fn use_tree(&mut self, before: &[String], tree: &UseTree, public: bool) {
        let named = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.use_tree(&named(&path.ident), &path.tree, public),
            UseTree::Name(name) if name.ident == "self" => self.note(before),
            UseTree::Name(name) => self.used(&named(&name.ident), &name.ident, public),
            UseTree::Rename(name) => self.used(&named(&name.ident), &name.rename, public),
            UseTree::Glob(_) => self.note(before),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(before, tree, public);
                }
            }
        }
    }

    fn used(&mut self, path: &[String], name: &syn::Ident, public: bool) {
        self.note(path);
        if public {
            // `pub use child::Name` names a child module without `self`.
            let local = || Some([self.module, path].concat());
            if let Some(origin) = self.absolute(path).or_else(local) {
                self.passed_on.insert(name.to_string(), origin);
            }
        }
    }

    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut next = 0;
        while let Some(token) = tokens.get(next) {
            // `$crate` names the root deliberately: a macro expands in other crates.
            let expands = next > 0
                && matches!(&tokens[next - 1], TokenTree::Punct(before) if before.as_char() == '$');
            next += 1;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) if !expands => {
                    let mut path = vec![first.to_string()];
                    while let Some(
                        [
                            TokenTree::Punct(one),
                            TokenTree::Punct(two),
                            TokenTree::Ident(name),
                        ],
                    ) = tokens.get(next..next + 3)
                        && (one.as_char(), two.as_char()) == (':', ':')
                    {
                        path.push(name.to_string());
                        next += 3;
                    }
                    if path.len() > 1 {
                        self.note(&path);
                    }
                }
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            let public = !matches!(item.vis, syn::Visibility::Inherited);
            self.use_tree(&[], &item.tree, public);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Names = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        self.note(&names);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.tokens(item.tokens.clone());
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute
            .meta
            .path()
            .is_ident("cfg")
            .then(|| match &attribute.meta {
                syn::Meta::List(list) => list.tokens.to_string(),
                _ => String::new(),
            });
        text.is_some_and(|text| {
            text == "test" || text.starts_with("all (test") || text == "doctest"
        })
    })
}

/// Returns the value of `#[path = ".."]`, even inside `cfg_attr`.
fn path_of(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let text = quote::ToTokens::to_token_stream(&attribute.meta).to_string();
        let (_, value) = text.split_once("path = \"")?;
        value.split('"').next().map(str::to_owned)
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
