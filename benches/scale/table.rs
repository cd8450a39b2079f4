//! The tables, in Markdown, from the printed lines.

use std::fmt::Write as _;

use serde_json::Value;

/// All tables and the machine.
pub(crate) fn all(lines: &[Value]) -> String {
    [cost(lines, "caveats"), cost(lines, "bytes"), stores(lines), loads(lines), machine(lines)].join("\n")
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

fn stores(lines: &[Value]) -> String {
    let mut table = String::from(
        "| store | records | filled by | in | at most resident | open | resident after open | after work | disk per record | one sync |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for fill in of(lines, "fill") {
        let find = |measure, when: &str| {
            of(lines, measure).find(|line| {
                text(line, "store") == text(fill, "store")
                    && number(line, "records") == number(fill, "records")
                    && text(line, "when") == when
            })
        };
        let cell = |measure, when, field, show: fn(f64) -> String| {
            find(measure, when).map_or("–".to_owned(), |line| show(number(line, field)))
        };
        let _ = writeln!(
            table,
            "| {} | {} | {} threads | {} | {} | {} | {} | {} | {} | {} |",
            text(fill, "store"),
            count(number(fill, "records")),
            number(fill, "threads"),
            seconds(number(fill, "seconds")),
            mebibytes(number(fill, "peak_bytes")),
            cell("open", "", "seconds", seconds),
            cell("resident", "open", "bytes", mebibytes),
            cell("resident", "worked", "bytes", mebibytes),
            cell("disk", "", "bytes_per_record", |bytes| format!("{bytes:.0} B")),
            cell("open", "", "sync_us", |micros| duration(micros * 1e3)),
        );
    }
    table
}

fn loads(lines: &[Value]) -> String {
    const WHATS: [&str; 3] = ["mint", "verify", "consume"];
    let mut table = String::from("| store | records | threads |");
    for what in WHATS {
        let _ = write!(table, " {what}/s | p50 · p90 · p99 · p99.9 |");
    }
    table.push_str("\n|---|--:|--:|--:|---|--:|---|--:|---|\n");
    let same = |one: &Value, other: &Value| {
        text(one, "store") == text(other, "store")
            && number(one, "records") == number(other, "records")
            && number(one, "threads") == number(other, "threads")
    };
    for row in of(lines, "load").filter(|line| text(line, "what") == "mint") {
        let _ = write!(
            table,
            "| {} | {} | {} |",
            text(row, "store"),
            count(number(row, "records")),
            number(row, "threads")
        );
        for what in WHATS {
            let line = of(lines, "load").find(|line| same(row, line) && text(line, "what") == what);
            let Some(line) = line else { continue };
            let quantiles = ["p50_us", "p90_us", "p99_us", "p999_us"];
            let quantiles = quantiles.map(|field| duration(number(line, field) * 1e3));
            let _ = write!(table, " {} | {} |", count(number(line, "per_second")), quantiles.join(" · "));
        }
        table.push('\n');
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

fn seconds(seconds: f64) -> String {
    duration(seconds * 1e9)
}

fn mebibytes(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / f64::from(1 << 20))
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
