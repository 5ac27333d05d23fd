//! One key of each type, within the bounds that the table in `kind` sets. What is wrong is told,
//! and `None` comes back; a key that is missing is told only where the node needs it.

use std::sync::Arc;

use serde_json::Value;

use super::Keys;
use crate::{
    expression::ExpressionError,
    graph::{
        Field, Preferences, Source,
        check::{Reads, short},
    },
    kind::{KeyType, MAX_WORDS},
};

impl<'a> Keys<'a, '_, '_> {
    /// A text that says something; a blank one is as good as none.
    pub(in crate::graph::check) fn line(&mut self, name: &'static str) -> Option<&'a str> {
        let spec = self.spec(name)?;
        let text = match self.value(name) {
            None => "",
            Some(Value::String(text)) => text.as_str(),
            Some(_) => {
                self.wrong_type(spec, "text");
                return None;
            }
        };
        if !text.trim().is_empty() {
            return Some(text);
        }
        if spec.required {
            let message = format!("`{name}` is missing: {}", spec.help);
            self.error("missing_key", name, message);
        }
        None
    }

    /// A template or an expression, as the table says.
    pub(in crate::graph::check) fn source(&mut self, name: &'static str) -> Option<Source> {
        let text = self.line(name)?;
        let source = match self.spec(name)?.holds {
            KeyType::Expression => Source::expression(text),
            _ => Source::template(text),
        };
        self.taken_source(name, text, source)
    }

    pub(super) fn taken_source(
        &mut self,
        key: &'static str,
        text: &str,
        source: Result<Source, ExpressionError>,
    ) -> Option<Source> {
        match source {
            Ok(source) => {
                self.reads.push(Reads {
                    key,
                    names: Arc::clone(&source.names),
                });
                Some(source)
            }
            Err(error) => {
                let message = match error.line.filter(|_| text.contains('\n')) {
                    Some(line) => format!("Line {line} of `{key}`: {}", error.message),
                    None => format!("`{key}`: {}", error.message),
                };
                self.error("bad_expression", key, message);
                None
            }
        }
    }

    pub(super) fn model(&mut self) -> Option<&'a str> {
        let model = self.line("model")?.trim();
        match model.split_once(':') {
            Some((provider, name)) if !provider.is_empty() && !name.is_empty() => Some(model),
            _ => {
                let message = format!(
                    "`{}` is no model: write `provider:model`, like `rehearsal:default`.",
                    short(model)
                );
                self.error("bad_model", "model", message);
                None
            }
        }
    }

    pub(in crate::graph::check) fn integer(&mut self, name: &'static str) -> Option<u64> {
        let spec = self.spec(name)?;
        let value = self.value(name)?;
        let KeyType::Integer { min, max, unit } = spec.holds else {
            return None;
        };
        match whole(value) {
            Some(number) if (min..=max).contains(&number) => u64::try_from(number).ok(),
            Some(_) => {
                let message = format!("`{name}` must be {min} to {max} {unit}.");
                self.error("out_of_range", name, message);
                None
            }
            None => {
                self.wrong_type(spec, "a whole number");
                None
            }
        }
    }

    pub(super) fn number(&mut self, name: &'static str) -> Option<f64> {
        let spec = self.spec(name)?;
        let value = self.value(name)?;
        let KeyType::Number { min, max } = spec.holds else {
            return None;
        };
        match value.as_f64() {
            Some(number) if (min..=max).contains(&number) => Some(number),
            Some(_) => {
                self.error(
                    "out_of_range",
                    name,
                    format!("`{name}` must be {min} to {max}."),
                );
                None
            }
            None => {
                self.wrong_type(spec, "a number");
                None
            }
        }
    }

    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        match (self.spec(name), self.value(name)) {
            (_, Some(Value::Bool(flag))) => *flag,
            (Some(spec), Some(_)) => {
                self.wrong_type(spec, "true or false");
                false
            }
            _ => false,
        }
    }

    /// A flag that is up where nothing is said.
    pub(super) fn flag_on(&mut self, name: &'static str) -> bool {
        self.value(name).is_none() || self.flag(name)
    }

    /// Values by name: text is a template, all else stays as it is. `None` where one is wrong.
    pub(super) fn fields(&mut self, name: &'static str) -> Option<Vec<(String, Field)>> {
        let Some(value) = self.value(name) else {
            return Some(Vec::new());
        };
        let Value::Object(map) = value else {
            let spec = self.spec(name)?;
            self.wrong_type(spec, "an object: names and values");
            return None;
        };
        if map.len() > MAX_WORDS {
            self.too_many("too_many_fields", name, map.len(), "values");
            return None;
        }
        let mut fields = Vec::with_capacity(map.len());
        let mut whole = true;
        for (field, value) in map {
            let read = match value {
                Value::String(text) => self
                    .taken_source(name, text, Source::template(text))
                    .map(Field::Template),
                plain => Some(Field::Plain(plain.clone())),
            };
            match read {
                Some(read) => fields.push((field.clone(), read)),
                None => whole = false,
            }
        }
        whole.then_some(fields)
    }

    /// One of the words that the table names; the first of them where nothing is said.
    pub(in crate::graph::check) fn choice(&mut self, name: &'static str) -> &'static str {
        let Some(spec) = self.spec(name) else {
            return "";
        };
        let KeyType::Choice(words) = spec.holds else {
            return "";
        };
        let first = words.first().copied().unwrap_or_default();
        match self.value(name) {
            None => first,
            Some(Value::String(raw)) => match words.iter().find(|word| *word == raw) {
                Some(word) => word,
                None => {
                    let message = format!(
                        "`{name}` must be one of {}, not `{}`.",
                        words.join(", "),
                        short(raw)
                    );
                    self.error("out_of_range", name, message);
                    first
                }
            },
            Some(_) => {
                self.wrong_type(spec, &format!("one of {}", words.join(", ")));
                first
            }
        }
    }

    pub(super) fn words(&mut self, name: &'static str) -> Option<Vec<String>> {
        let spec = self.spec(name)?;
        let words: Option<Vec<String>> = match self.value(name)? {
            Value::Array(items) if items.len() > MAX_WORDS => {
                self.too_many("too_many_words", name, items.len(), "words");
                return None;
            }
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(str::trim).filter(|word| !word.is_empty()))
                .map(|word| word.map(str::to_owned))
                .collect(),
            _ => None,
        };
        if words.is_none() {
            self.wrong_type(spec, "a list of words");
        }
        words
    }

    fn too_many(&mut self, code: &str, name: &'static str, count: usize, what: &str) {
        let message = format!(
            "`{name}` holds {count} {what}; at most {MAX_WORDS} are taken: leave some out."
        );
        self.error(code, name, message);
    }

    /// The fallback models; `None` where the key is missing or wrong.
    pub(super) fn models(&mut self) -> Option<Vec<String>> {
        let models = self.words("models")?;
        for model in &models {
            let named = model
                .split_once(':')
                .is_some_and(|(provider, name)| !provider.is_empty() && !name.is_empty());
            if !named {
                let message = format!(
                    "`{}` is no model: write `provider:model`, like `rehearsal:default`.",
                    short(model)
                );
                self.error("bad_model", "models", message);
                return None;
            }
        }
        Some(models)
    }

    pub(super) fn preferences(&mut self) -> Option<Preferences> {
        let spec = self.spec("provider")?;
        let value = self.value("provider")?;
        if !value.is_object() {
            self.wrong_type(spec, "an object, like {\"sort\": \"price\"}");
            return None;
        }
        match Preferences::parse(value) {
            Ok(preferences) => Some(preferences),
            Err(wrong) => {
                let message = format!("The provider preferences cannot be used: {wrong}.");
                self.error("bad_preferences", "provider", message);
                None
            }
        }
    }

    pub(super) fn schema(&mut self) -> Option<Value> {
        let spec = self.spec("output_schema")?;
        let value = self.value("output_schema")?;
        if !value.is_object() {
            self.wrong_type(spec, "a JSON Schema, which is an object");
            return None;
        }
        Some(value.clone())
    }
}

/// A whole number, also where it is written as `20.0`.
pub(in crate::graph::check) fn whole(value: &Value) -> Option<i64> {
    let whole =
        |number: f64| (number.fract() == 0.0 && number.abs() < 9.0e15).then_some(number as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}
