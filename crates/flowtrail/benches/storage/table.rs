//! The table that is printed, a line as soon as it is known.

/// A line of it.
#[derive(Debug, Default)]
pub(crate) struct Row<'a> {
    pub(crate) workload: String,
    pub(crate) measured: String,
    /// The ceiling, or what it is compared with.
    pub(crate) beside: String,
    pub(crate) ratio: Option<f64>,
    pub(crate) target: &'a str,
    /// Whether the target is reached, where there is one.
    pub(crate) is_reached: Option<bool>,
}

impl Row<'_> {
    pub(crate) fn print(&self) {
        let or_dash = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
        let ratio = self.ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
        let reached = match self.is_reached {
            None => "–",
            Some(true) => "yes",
            Some(false) => "NO",
        };
        println!(
            "| {} | {} | {} | {ratio} | {} | {reached} |",
            self.workload,
            self.measured,
            or_dash(&self.beside),
            or_dash(self.target)
        );
    }
}

/// Prints the head.
pub(crate) fn begin() {
    println!("| workload | measured | ceiling or comparison | ratio | target | reached |");
    println!("| --- | --- | --- | --- | --- | --- |");
}
