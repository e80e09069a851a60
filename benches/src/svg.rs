//! The frame of the pages that the benches write: one file, light and dark, without external
//! resources.

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2733; --faint: #d4dae1; --paper: #fff; --ours: #1668c7; --theirs: #c2631a; --aim: #2b8a4b }
@media (prefers-color-scheme: dark) {
  :root { --ink: #dfe6ee; --faint: #3a444f; --paper: #161b21; --ours: #6cb0ff; --theirs: #f0a05a; --aim: #6fce8f }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1200px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
svg { max-width: 100%; height: auto; display: block } svg text { fill: var(--ink); font: 12px system-ui, sans-serif }
table { border-collapse: collapse } th, td { padding: 2px 12px; text-align: right; border-bottom: 1px solid var(--faint) }
th:first-child, td:first-child { text-align: left }
.ours { fill: var(--ours) } .theirs { fill: var(--theirs) } .aim { stroke: var(--aim); stroke-dasharray: 4 3 } .grid { stroke: var(--faint) }
.good { color: var(--aim) } .poor { color: var(--theirs) }
";

/// A complete page around its body.
pub(crate) fn page(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<h1>{title}</h1>\n{body}\n</html>\n"
    )
}

/// Escapes markup.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A grid spacing that yields about eight lines: 1, 2 or 5 times a power of ten.
pub(crate) fn grid_step(span: f64) -> f64 {
    let rough = (span / 8.0).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
    steps.into_iter().find(|&step| step >= rough).unwrap_or(rough)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_have_round_steps() {
        assert_eq!(grid_step(800.0), 100.0);
        assert_eq!(grid_step(900.0), 200.0);
        assert_eq!(grid_step(3.9), 0.5);
    }
}
