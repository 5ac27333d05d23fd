//! Values on their way into an expression and out of it, and what they weigh. Everything here is
//! bounded: a list may hold the same list many times, so a small value can be huge to walk.

use minijinja::{
    Error, ErrorKind, State, Value,
    value::{DynObject, ValueKind},
};
use serde_json::{Map, Number, Value as Json};

/// The longest text or value that comes out of an expression, in bytes of its JSON.
pub(super) const MAX_OUTPUT: usize = 1024 * 1024;

/// How deep values may be nested. JSON that was parsed is at most 128 deep.
const MAX_DEPTH: usize = 160;

/// How many bytes of a string one unit of fuel pays to look at; it pays for one step of a walk.
const BYTES_PER_FUEL: usize = 64;

/// After how many steps a walk pays.
const STEPS_PER_PAYMENT: usize = 256;

/// A JSON value as the template language holds it.
pub(super) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Value::from(number),
            (None, Some(number), _) => Value::from(number),
            (None, None, Some(number)) => Value::from(number),
            (None, None, None) => Value::from(number.to_string()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect(),
        Json::Object(keys) => Value::from_pairs(
            keys.iter()
                .map(|(key, value)| (key.as_str(), from_json(value))),
        ),
    }
}

/// What it takes to bring a JSON value into the template language, in units of fuel.
pub(super) fn work_to_read(json: &Json) -> u64 {
    let more = match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
        Json::String(text) => (text.len() / BYTES_PER_FUEL) as u64,
        Json::Array(items) => items.iter().map(work_to_read).sum(),
        Json::Object(keys) => keys.values().map(|value| 1 + work_to_read(value)).sum(),
    };
    1 + more
}

/// A value as JSON; an error when that would be larger than `MAX_OUTPUT`.
pub(super) fn to_json(value: &Value) -> Result<Json, Error> {
    let mut room = MAX_OUTPUT;
    convert(value, &mut room, 0)
}

fn convert(value: &Value, room: &mut usize, depth: usize) -> Result<Json, Error> {
    take(room, 1)?;
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    Ok(match value.kind() {
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => number(value),
        ValueKind::String | ValueKind::Bytes => Json::String(text(value, room)?),
        ValueKind::Seq | ValueKind::Iterable => {
            let mut items = Vec::new();
            for item in value.try_iter()?.checked() {
                items.push(convert(&item?, room, depth + 1)?);
            }
            Json::Array(items)
        }
        ValueKind::Map => {
            let mut keys = Map::new();
            for (key, item) in pairs(value) {
                let key = match key.kind() {
                    ValueKind::String => text(&key, room)?,
                    _ => convert(&key, room, depth + 1)?.to_string(),
                };
                keys.insert(key, convert(&item, room, depth + 1)?);
            }
            Json::Object(keys)
        }
        ValueKind::Invalid => return Err(invalid()),
        _ => {
            return Err(Error::new(
                ErrorKind::BadSerialization,
                "A function is no value.",
            ));
        }
    })
}

fn number(value: &Value) -> Json {
    if value.is_integer() {
        if let Ok(number) = i64::try_from(value.clone()) {
            return Json::from(number);
        }
        if let Ok(number) = u64::try_from(value.clone()) {
            return Json::from(number);
        }
    }
    let number = f64::try_from(value.clone()).ok().and_then(Number::from_f64);
    number.map_or(Json::Null, Json::Number)
}

fn text(value: &Value, room: &mut usize) -> Result<String, Error> {
    let text = value.as_str().unwrap_or_default();
    take(room, text.len())?;
    Ok(text.to_owned())
}

fn pairs(value: &Value) -> Box<dyn Iterator<Item = (Value, Value)> + Send + Sync> {
    let pairs = value.as_object().and_then(DynObject::try_iter_pairs);
    pairs.unwrap_or_else(|| Box::new(std::iter::empty()))
}

fn take(room: &mut usize, bytes: usize) -> Result<(), Error> {
    *room = room.checked_sub(bytes).ok_or_else(too_large)?;
    Ok(())
}

/// The filter that stands unseen before every operation that walks its operand: it walks first
/// and pays for each step, so nothing can be walked that was not paid for.
pub(super) fn weigh(state: &State, value: &Value) -> Result<Value, Error> {
    let mut load = Load { state, steps: 0 };
    load.add(value, 0)?;
    load.pay()?;
    Ok(value.clone())
}

/// As `weigh`, for operations that look at a whole string but not into lists and maps.
pub(super) fn weigh_text(state: &State, value: &Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        state.consume_fuel((text.len() / BYTES_PER_FUEL) as u64)?;
    }
    Ok(value.clone())
}

/// The filter that stands unseen behind every operation that would hand out a view of its
/// operands. A view of a view of a view takes a stack as deep as that to walk, so a list of its
/// own is made at once.
pub(super) fn flatten(state: &State, value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Seq if value.downcast_object_ref::<Vec<Value>>().is_some() => Ok(value.clone()),
        ValueKind::Seq | ValueKind::Iterable => {
            let mut items = Vec::new();
            for item in value.try_iter()?.checked() {
                if items.len() % STEPS_PER_PAYMENT == 0 {
                    state.consume_fuel(STEPS_PER_PAYMENT as u64)?;
                }
                items.push(item?);
            }
            Ok(Value::from(items))
        }
        ValueKind::Map => {
            let pairs: Vec<(Value, Value)> = pairs(value).collect();
            state.consume_fuel(pairs.len() as u64)?;
            Ok(Value::from_pairs(pairs))
        }
        _ => Ok(value.clone()),
    }
}

struct Load<'a> {
    state: &'a State<'a, 'a>,
    steps: usize,
}

impl Load<'_> {
    fn add(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        self.steps += 1;
        if self.steps >= STEPS_PER_PAYMENT {
            self.pay()?;
        }
        match value.kind() {
            ValueKind::String | ValueKind::Bytes => {
                let length = value.as_str().map_or(0, str::len);
                self.steps += length / BYTES_PER_FUEL;
            }
            ValueKind::Seq | ValueKind::Iterable => {
                for item in value.try_iter()?.checked() {
                    self.add(&item?, depth + 1)?;
                }
            }
            ValueKind::Map => {
                for (key, item) in pairs(value) {
                    self.add(&key, depth + 1)?;
                    self.add(&item, depth + 1)?;
                }
            }
            ValueKind::Invalid => return Err(invalid()),
            _ => {}
        }
        Ok(())
    }

    fn pay(&mut self) -> Result<(), Error> {
        let steps = std::mem::take(&mut self.steps);
        self.state.consume_fuel(steps as u64)
    }
}

fn too_deep() -> Error {
    Error::new(
        ErrorKind::BadSerialization,
        "Lists and objects are nested too deeply in each other.",
    )
}

pub(super) fn too_large() -> Error {
    Error::new(
        ErrorKind::BadSerialization,
        "What comes out is larger than 1 MiB.",
    )
}

fn invalid() -> Error {
    Error::new(
        ErrorKind::BadSerialization,
        "A part of it could not be computed.",
    )
}
