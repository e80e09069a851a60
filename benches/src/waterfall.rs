//! A timeline as a page: one row per step, with a bar of its duration.

use std::fmt::Write;

use crate::svg::{escaped, grid_step, page as framed};
use crate::trace::{Chapter, Step};

const WIDTH: f64 = 1180.0;
const ROW: f64 = 16.0;
const HEAD: f64 = 24.0;
/// Space for the label of a late step.
const MARGIN: f64 = 330.0;

/// The complete page.
pub(crate) fn page(title: &str, chapters: &[Chapter]) -> String {
    let mut body = String::from(
        "<p>Blue: Tom, who calls. Orange: Jack, who accepts at once. Bars with a frame are requests \
         until their answers arrive, with the number of their connection in brackets.</p>",
    );
    for chapter in chapters {
        let _ = write!(body, "<h2>{}</h2>\n{}", escaped(&chapter.title), chart(chapter));
    }
    framed(title, &body)
}

fn chart(chapter: &Chapter) -> String {
    let start = chapter.start;
    // A poll that is still open does not determine the length of the chapter.
    let last = chapter.steps.iter().map(|step| step.start - start).fold(1.0, f64::max);
    let scale = (WIDTH - MARGIN) / last;
    let height = HEAD + ROW * (chapter.steps.len() as f64 + 1.0);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">");
    let step = grid_step(last);
    let mut at = 0.0;
    while at <= last {
        let x = at * scale;
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"16\" y2=\"{height}\"/>\
             <text x=\"{x:.1}\" y=\"12\">{at} ms</text>"
        );
        at += step;
    }
    for (row, step) in chapter.steps.iter().enumerate() {
        svg += &bar(step, start, last, scale, HEAD + ROW * row as f64);
    }
    svg + "</svg>\n"
}

fn bar(step: &Step, start: f64, last: f64, scale: f64, y: f64) -> String {
    let from = step.start - start;
    let until = step.end.map_or(from, |end| (end - start).min(last));
    let (x, width) = (from * scale, ((until - from) * scale).max(2.0));
    let class = if step.who == "Tom" { "ours" } else { "theirs" };
    let look = if step.is_http { " fill-opacity=\".3\" stroke=\"currentColor\"" } else { "" };
    let took = step.end.map(|end| format!(", {:.0} ms", end - step.start)).unwrap_or_default();
    let words = escaped(&format!("{from:.0} {}: {}{took}", step.who, step.what));
    format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"11\"{look}/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{words}</text>",
        y + 2.0,
        (x + 4.0 + if step.is_http { 0.0 } else { width }).min(WIDTH - MARGIN),
        y + 12.0
    )
}
