//! Short names between the module and its glue. wasm-bindgen's end in a hash, stand in both, and no
//! compressor can do anything about them.

use std::collections::HashMap;

use anyhow::{Result, ensure};

/// What the glue calls the object with the functions that the module imports.
const FUNCTIONS: &str = "./videortc_bg.js";

/// Renames what the module imports, each a pair of module and name, and the same in the glue.
pub(crate) fn shorten<'a>(
    mut glue: String,
    imports: impl Iterator<Item = (&'a mut String, &'a mut String)>,
) -> Result<String> {
    let mut given: HashMap<String, String> = HashMap::new();
    for (module, name) in imports {
        ensure!(module == FUNCTIONS, "wasm-bindgen's glue has changed: it imports from `{module}`");
        // What is imported twice stands in the glue once.
        let short = match given.get(name) {
            Some(short) => short.clone(),
            None => {
                let short = letters(given.len());
                let old = format!(" {name}: function(");
                ensure!(
                    glue.matches(&old).count() == 1,
                    "wasm-bindgen's glue has changed: no `{old}`"
                );
                glue = glue.replace(&old, &format!(" {short}: function("));
                given.insert(name.clone(), short.clone());
                short
            }
        };
        *module = "_".to_owned();
        *name = short;
    }
    let old = format!("\"{FUNCTIONS}\":");
    ensure!(glue.matches(&old).count() == 1, "wasm-bindgen's glue has changed: no `{old}`");
    Ok(glue.replace(&old, "\"_\":"))
}

/// `a`, `b`, … `z`, `ba`, `bb`, …
fn letters(number: usize) -> String {
    let (rest, last) = (number / 26, number % 26);
    let last = u8::try_from(last).map_or('_', |last| char::from(b'a'.saturating_add(last)));
    if rest == 0 { last.into() } else { format!("{}{last}", letters(rest)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_get_the_same_names() -> Result<()> {
        let glue = "{ __wbg_a_1: function(x) {}, __wbg_b_2: function() {} }; { \"./videortc_bg.js\": import0 }";
        let mut imports = ["__wbg_b_2", "__wbg_a_1", "__wbg_b_2"]
            .map(|name| (FUNCTIONS.to_owned(), name.to_owned()));
        let glue =
            shorten(glue.to_owned(), imports.iter_mut().map(|(module, name)| (module, name)))?;
        assert_eq!(glue, "{ b: function(x) {}, a: function() {} }; { \"_\": import0 }");
        assert_eq!(imports, ["a", "b", "a"].map(|name| ("_".to_owned(), name.to_owned())));
        Ok(())
    }

    #[test]
    fn no_two_names_are_the_same() {
        let names: std::collections::HashSet<String> = (0..1000).map(letters).collect();
        assert_eq!(names.len(), 1000);
        assert!(names.contains("a") && names.contains("z") && names.contains("ba"));
    }
}
