//! The language of templates: minijinja without whatever reaches outside, spans several
//! templates, or remembers things between two rounds of a loop.

use std::sync::LazyLock;

use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use serde::Serialize;

use super::values;

/// The names of the filters that the reader puts into the code; no template can write them.
pub(super) const WEIGH: &str = "$weigh";
/// As `WEIGH`, for strings alone.
pub(super) const WEIGH_TEXT: &str = "$weigh_text";
/// What it puts behind operations that would hand out a view.
pub(super) const FLATTEN: &str = "$flatten";
/// Filters that make a list (`chain` also an object) of what they are given, and may make it as a
/// view. Those that hand out one of its items are not among them: an item stays what it is.
pub(super) const VIEWS: &[&str] = &[
    "batch",
    "chain",
    "dictsort",
    "groupby",
    "items",
    "list",
    "map",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "slice",
    "sort",
    "unique",
    "zip",
];

/// The work that one evaluation may do. One unit is an instruction or 64 bytes; all of it is
/// spent in some 30 ms and holds some 40 MiB.
pub(super) const FUEL: u64 = 600_000;

/// Most bytes that are written in one evaluation, what is captured on the way included.
const MAX_WRITTEN: usize = 4 * values::MAX_OUTPUT;

/// Every filter there is.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "fromjson",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// Every test there is, by its name.
pub(super) const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

/// Every function there is.
pub(super) const FUNCTIONS: &[&str] = &["dict", "range"];

/// The language. Making it costs more than most templates do, so it is made once.
pub(super) fn language() -> &'static Environment<'static> {
    static LANGUAGE: LazyLock<Environment<'static>> = LazyLock::new(make);
    &LANGUAGE
}

fn make() -> Environment<'static> {
    let mut language = Environment::new();
    language.set_fuel(Some(FUEL));
    language.set_recursion_limit(100);
    language.set_undefined_behavior(UndefinedBehavior::Strict);
    // So that an error names what has no value.
    language.set_debug(true);
    language.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    language.set_formatter(write);
    // `namespace` can be put into itself, `debug` and `pprint` print what nobody weighed, `safe`
    // and `escaped` mean nothing where nothing is escaped.
    language.remove_global("namespace");
    language.remove_global("debug");
    language.remove_filter("pprint");
    language.remove_filter("safe");
    language.remove_test("safe");
    language.remove_test("escaped");
    language.add_filter(WEIGH, values::weigh);
    language.add_filter(WEIGH_TEXT, values::weigh_text);
    language.add_filter(FLATTEN, values::flatten);
    language.add_filter("tojson", to_json_text);
    language.add_filter("fromjson", from_json_text);
    language
}

/// Writes a value: text as it is, everything else as JSON.
fn write(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let json;
    let text = match value.as_str() {
        Some(text) => text,
        // What an `if` without `else` leaves; everything else that is undefined was refused.
        None if value.is_undefined() => "",
        None => {
            json = values::to_json(value)?.to_string();
            &json
        }
    };
    let written = &mut state.get_or_insert_extension(Written(0)).0;
    *written += text.len();
    if *written > MAX_WRITTEN {
        return Err(values::too_large());
    }
    Ok(out.write_str(text)?)
}

/// How much one evaluation has written.
struct Written(usize);

/// `value|tojson`, or `value|tojson(2)` with an indent.
fn to_json_text(
    state: &State<'_, '_>,
    value: &Value,
    indent: Option<usize>,
) -> Result<String, Error> {
    let json = values::to_json(value)?;
    let text = match indent {
        None | Some(0) => json.to_string(),
        Some(indent) => {
            let indent = vec![b' '; indent.min(8)];
            let mut room = Room(Vec::new());
            let formatter = serde_json::ser::PrettyFormatter::with_indent(&indent);
            let mut serializer = serde_json::Serializer::with_formatter(&mut room, formatter);
            json.serialize(&mut serializer)
                .map_err(|_| values::too_large())?;
            String::from_utf8_lossy(&room.0).into_owned()
        }
    };
    state.consume_fuel((text.len() / 16) as u64)?;
    Ok(text)
}

/// Bytes up to the size that may come out: an indent makes much of little.
struct Room(Vec<u8>);

impl std::io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > values::MAX_OUTPUT {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// `text|fromjson`: the value that the text is in JSON.
fn from_json_text(state: &State<'_, '_>, text: &str) -> Result<Value, Error> {
    state.consume_fuel((text.len() / 4) as u64)?;
    let json = serde_json::from_str(text).map_err(|error| bad_json(&error))?;
    Ok(values::from_json(&json))
}

fn bad_json(error: &serde_json::Error) -> Error {
    Error::new(
        ErrorKind::BadSerialization,
        format!("This is no JSON: {error}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lists above are what the reader knows; the language must have that and no more.
    #[test]
    fn the_lists_name_all_that_there_is() {
        let all = format!("{:?}", language());
        let names = |what: &str| -> Vec<String> {
            let list = all.split(&format!("{what}: [")).nth(1).unwrap_or_default();
            let list = list.split(']').next().unwrap_or_default();
            let names = list
                .split(", ")
                .map(|name| name.trim_matches('"').to_owned());
            let word = |name: &String| name.starts_with(|c: char| c.is_ascii_alphabetic());
            names.filter(word).collect()
        };
        assert_eq!(names("filters"), FILTERS);
        assert_eq!(names("tests"), TESTS);
        for function in FUNCTIONS {
            assert!(all.contains(&format!("\"{function}\":")), "{function}");
        }
        for gone in ["namespace", "debug"] {
            assert!(!all.contains(&format!("\"{gone}\":")), "{gone}");
        }
    }
}
