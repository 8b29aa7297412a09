//! Files stay small: one of 500 lines is questioned, one of 800 must be split.

const QUESTION: usize = 500;
const SPLIT: usize = 800;

pub(super) fn check(path: &str, text: &str, wrong: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > SPLIT {
        wrong.push(format!("{path}: {lines} lines, split it (at most {SPLIT})"));
    } else if lines > QUESTION {
        println!("   {path}: {lines} lines, does it hold one thing?");
    }
}
