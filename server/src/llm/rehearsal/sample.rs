//! A JSON value that satisfies a JSON Schema, filled with words from the scene. Understands what schemas of
//! answers are made of: types, properties, items, enum, const, bounds, local references, any/one/allOf.
//! Patterns are passed over: whoever checks the answer will say so.

use serde_json::{Map, Number, Value, json};

use super::{compose, scene::Scene, verdict::judges};
use crate::llm::rehearsal::intent::Intent;

/// Schemas that refer to themselves end here.
const MAX_DEPTH: usize = 8;
/// Optional properties are filled this deep.
const GENEROUS_DEPTH: usize = 3;
const MAX_ITEMS: usize = 20;

/// A value for `schema`.
pub fn of(schema: &Value, scene: &mut Scene) -> Value {
    Sampler {
        root: schema,
        scene,
        count: 0,
    }
    .value(schema, "", 0)
}

struct Sampler<'a> {
    root: &'a Value,
    scene: &'a mut Scene,
    /// How many texts were made, so that neighbours differ.
    count: usize,
}

impl<'a> Sampler<'a> {
    fn value(&mut self, schema: &'a Value, name: &str, depth: usize) -> Value {
        let schema = self.resolved(schema);
        if let Some(value) = schema.get("const").or_else(|| schema.get("default")) {
            return value.clone();
        }
        if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
            return self.choice(choices);
        }
        let one_of = ["anyOf", "oneOf"]
            .iter()
            .find_map(|key| schema.get(*key)?.as_array()?.first());
        match (one_of, schema.get("allOf").and_then(Value::as_array)) {
            (Some(first), _) if depth < MAX_DEPTH => return self.value(first, name, depth + 1),
            (_, Some(all)) if depth < MAX_DEPTH && schema.get("type").is_none() => {
                let mut merged = Map::new();
                let mut last = Value::Null;
                for part in all {
                    match self.value(part, name, depth + 1) {
                        Value::Object(fields) => merged.extend(fields),
                        other => last = other,
                    }
                }
                return if merged.is_empty() {
                    last
                } else {
                    Value::Object(merged)
                };
            }
            (_, _) => {}
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, name, depth),
            "integer" => number(schema, true),
            "number" => number(schema, false),
            "boolean" => json!(self.is_true(name)),
            "null" => Value::Null,
            _ => json!(self.text(schema, name)),
        }
    }

    /// Follows references inside the schema.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..MAX_DEPTH {
            let target = schema
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|path| path.strip_prefix('#'));
            match target.and_then(|path| self.root.pointer(path)) {
                Some(found) => schema = found,
                None => break,
            }
        }
        schema
    }

    fn object(&mut self, schema: &'a Value, depth: usize) -> Value {
        let mut fields = Map::new();
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        if depth >= MAX_DEPTH {
            return Value::Object(fields);
        }
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if depth < GENEROUS_DEPTH || required.contains(&name.as_str()) {
                let value = self.value(property, name, depth + 1);
                fields.insert(name.clone(), value);
            }
        }
        for name in required {
            if !fields.contains_key(name) {
                let value = match schema.get("additionalProperties") {
                    Some(more) if more.is_object() => self.value(more, name, depth + 1),
                    Some(_) | None => json!(compose::sentence(self.scene)),
                };
                fields.insert(name.to_owned(), value);
            }
        }
        Value::Object(fields)
    }

    fn array(&mut self, schema: &'a Value, name: &str, depth: usize) -> Value {
        let prefix = schema
            .get("prefixItems")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let mut items: Vec<Value> = Vec::new();
        for item in prefix {
            items.push(self.value(item, name, depth + 1));
        }
        let least = bound(schema, "minItems").unwrap_or(0.0).max(0.0) as usize;
        let most = bound(schema, "maxItems").map_or(MAX_ITEMS, |most| most.max(0.0) as usize);
        let wanted = if depth < MAX_DEPTH {
            3.clamp(least.min(MAX_ITEMS), most.max(least))
        } else {
            least
        };
        if let Some(item) = schema.get("items").filter(|items| items.is_object()) {
            let is_set = schema.get("uniqueItems") == Some(&Value::Bool(true));
            // Twice as many tries as items: an enum of two words yields no third.
            for _ in 0..wanted.min(MAX_ITEMS) * 2 {
                if items.len() >= wanted {
                    break;
                }
                let value = self.value(item, name, depth + 1);
                if !is_set || !items.contains(&value) {
                    items.push(value);
                }
            }
        } else {
            while items.len() < least.min(MAX_ITEMS) {
                items.push(json!(compose::sentence(self.scene)));
            }
        }
        Value::Array(items)
    }

    /// One of the values; where they are verdicts, the one that the text has earned.
    fn choice(&mut self, choices: &[Value]) -> Value {
        let favourable = self.scene.favourable;
        let earned = choices.iter().find(|choice| {
            choice
                .as_str()
                .and_then(judges)
                .is_some_and(|judged| judged == favourable)
        });
        let any = self.scene.dice.roll(choices.len());
        earned
            .or_else(|| choices.get(any))
            .cloned()
            .unwrap_or(Value::Null)
    }

    fn is_true(&mut self, name: &str) -> bool {
        let name = name.to_lowercase();
        let judged = name.split(|c: char| !c.is_alphanumeric()).find_map(judges);
        match (judged, self.scene.intent) {
            (Some(sense), _) => sense == self.scene.favourable,
            (None, Intent::Review | Intent::Decide) => self.scene.favourable,
            (None, _) => self.scene.dice.roll(3) > 0,
        }
    }

    fn text(&mut self, schema: &Value, name: &str) -> String {
        let least = bound(schema, "minLength").unwrap_or(0.0).max(0.0) as usize;
        let most = bound(schema, "maxLength").map_or(2_000, |most| most.max(0.0) as usize);
        let place = self.count;
        self.count += 1;
        let text = match schema
            .get("format")
            .and_then(Value::as_str)
            .unwrap_or_default()
        {
            "date" => "2026-01-15".to_owned(),
            "date-time" => "2026-01-15T09:00:00Z".to_owned(),
            "time" => "09:00:00Z".to_owned(),
            "email" => "someone@example.com".to_owned(),
            "uri" | "url" => "https://example.com/".to_owned(),
            "uuid" => "00000000-0000-4000-8000-000000000000".to_owned(),
            _ => match name.to_lowercase().as_str() {
                "topic" | "title" | "name" | "subject" | "heading" => self.scene.topic.clone(),
                "id" | "key" | "slug" => format!("item-{}", place + 1),
                _ => match self.scene.point(place) {
                    Some(point) => point.to_owned(),
                    None => compose::sentence(self.scene),
                },
            },
        };
        let mut text: String = text.chars().take(most).collect();
        while text.chars().count() < least.min(10_000) {
            text.push('.');
        }
        text
    }
}

/// The type of what a schema describes, guessed from its other keys where it is not named.
fn kind(schema: &Value) -> &str {
    let named = match schema.get("type") {
        Some(Value::String(name)) => Some(name.as_str()),
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .find(|name| *name != "null"),
        Some(_) | None => None,
    };
    let has = |key: &str| schema.get(key).is_some();
    named.unwrap_or({
        if has("properties") || has("required") {
            "object"
        } else if has("items") || has("prefixItems") {
            "array"
        } else if has("minimum") || has("maximum") {
            "number"
        } else {
            "string"
        }
    })
}

fn bound(schema: &Value, key: &str) -> Option<f64> {
    schema.get(key).and_then(Value::as_f64)
}

/// A number within its bounds, in the middle where there are two.
fn number(schema: &Value, whole: bool) -> Value {
    let step = if whole { 1.0 } else { 0.5 };
    let least =
        bound(schema, "minimum").or(bound(schema, "exclusiveMinimum").map(|least| least + step));
    let most =
        bound(schema, "maximum").or(bound(schema, "exclusiveMaximum").map(|most| most - step));
    let mut value = match (least, most) {
        (Some(least), Some(most)) => f64::midpoint(least, most),
        (Some(least), None) => least + 2.0,
        (None, Some(most)) => most - 2.0,
        (None, None) => 3.0,
    };
    if whole {
        value = value.round();
    }
    if let Some(unit) = bound(schema, "multipleOf").filter(|unit| *unit > 0.0) {
        value = (value / unit).round() * unit;
        value = if least.is_some_and(|least| value < least) {
            value + unit
        } else {
            value
        };
    }
    let number = if whole || value.fract() == 0.0 {
        Some(Number::from(value as i64))
    } else {
        Number::from_f64(value)
    };
    number.map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests;
