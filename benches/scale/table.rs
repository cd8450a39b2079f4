//! The tables, in Markdown, from the printed lines.

use std::fmt::Write as _;

use serde_json::Value;

/// All tables and the machine.
pub(crate) fn all(lines: &[Value]) -> String {
    [cost(lines, "caveats"), cost(lines, "bytes"), machine(lines)].join("\n")
}

fn of<'a>(lines: &'a [Value], measure: &'a str) -> impl Iterator<Item = &'a Value> {
    lines.iter().filter(move |line| text(line, "measure") == measure)
}

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn number(line: &Value, field: &str) -> f64 {
    line.get(field).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// Adds the increment of each step: it is constant if costs are linear.
fn cost(lines: &[Value], by: &str) -> String {
    let mut table =
        format!("| {by} | text, bytes | mint | verify | mint, each further | verify, each further |\n");
    table.push_str("|--:|--:|--:|--:|--:|--:|\n");
    let mut last: Option<&Value> = None;
    for line in of(lines, "cost").filter(|line| text(line, "by") == by) {
        let further = |work: &str| match last {
            None => "–".to_owned(),
            Some(last) => {
                duration((number(line, work) - number(last, work)) / (number(line, by) - number(last, by)))
            }
        };
        let (mint, verify) = (number(line, "mint_ns"), number(line, "verify_ns"));
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} |",
            count(number(line, by)),
            count(number(line, "text_bytes")),
            duration(mint),
            duration(verify),
            further("mint_ns"),
            further("verify_ns"),
        );
        last = Some(line);
    }
    table
}

fn machine(lines: &[Value]) -> String {
    let loads: Vec<_> = of(lines, "machine").map(|line| number(line, "load")).collect();
    let times: Vec<_> = of(lines, "machine").map(|line| number(line, "unix")).collect();
    let took = times.last().zip(times.first()).map_or(0.0, |(last, first)| last - first);
    let machine = of(lines, "machine").next().map_or("", |line| text(line, "machine"));
    let loads: Vec<_> = loads.iter().map(|load| format!("{load:.1}")).collect();
    format!("{machine}; load {}; {took:.0} s.", loads.join(" before and, with this, after "))
}

/// Formats a number with three digits.
fn significant(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn duration(ns: f64) -> String {
    match ns.abs() {
        size if size >= 999.5e6 => format!("{} s", significant(ns / 1e9)),
        size if size >= 999.5e3 => format!("{} ms", significant(ns / 1e6)),
        size if size >= 999.5 => format!("{} µs", significant(ns / 1e3)),
        _ => format!("{} ns", significant(ns)),
    }
}

/// Formats a number with commas.
fn count(number: f64) -> String {
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
