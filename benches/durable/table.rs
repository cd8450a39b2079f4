//! The figures in Markdown.

use serde_json::Value;

use crate::Figures;

const CALLS: [(&str, &str); 10] = [
    ("store", "store"),
    ("records", "records"),
    ("callers", "threads"),
    ("mints/s", "mint_per_s"),
    ("p99, ms", "p99_ms"),
    ("bare log/s", "log_per_s"),
    ("× log", "x_log"),
    ("spends/s", "spend_per_s"),
    ("p99, ms", "spend_p99_ms"),
    ("of old tokens/s", "old_spend_per_s"),
];

const ONCE: [(&str, &str); 11] = [
    ("store", "store"),
    ("get, µs", "get_us"),
    ("verify, µs", "verify_us"),
    ("page, ms", "page_ms"),
    ("open, s", "open_s"),
    ("after a kill, s", "open_after_kill_s"),
    ("resident, MiB", "resident_mib"),
    ("bytes a record", "bytes_per_record"),
    ("filled in, s", "fill_s"),
    ("purge, µs a record", "purge_us"),
    ("p99 beside it, ms", "purge_p99_ms"),
];

/// Calls by the number of callers, and what is measured once for a store.
pub(crate) fn all(lines: &[Figures]) -> String {
    let once: Vec<_> = lines.iter().filter(|line| line.contains_key("get_us")).collect();
    [table(&CALLS, &lines.iter().collect::<Vec<_>>()), table(&ONCE, &once)].join("\n")
}

fn table(columns: &[(&str, &str)], lines: &[&Figures]) -> String {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut table = row(columns.iter().map(|(title, _)| (*title).to_owned()).collect());
    table.push_str(&format!("|---|{}\n", "--:|".repeat(columns.len() - 1)));
    for line in lines {
        table.push_str(&row(columns.iter().map(|(_, name)| cell(line.get(*name))).collect()));
    }
    table
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(number) => match number.as_f64() {
            Some(whole) if whole >= 1000.0 => thousands(whole),
            Some(whole) if whole.fract() == 0.0 => format!("{whole:.0}"),
            _ => number.to_string(),
        },
    }
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The machine, with its load before and after.
pub(crate) fn machines(before: &Value, after: &Value) -> String {
    let machine = before.get("machine").and_then(Value::as_str).unwrap_or("unknown machine");
    let load = |line: &Value| line.get("load").and_then(Value::as_f64).unwrap_or(f64::NAN);
    format!("{machine}; load {:.1} before and, with this, {:.1} after.", load(before), load(after))
}
