//! A table whose cells are the deeper coloured, the more they count. The numbers stand in them, so that it reads as a table, too.

use maud::{Markup, html};

use crate::page::parts::{self, count};

/// A cell.
pub(in crate::page) struct Cell {
    /// How many.
    pub(in crate::page) count: u64,
    /// Where it leads.
    pub(in crate::page) address: String,
    /// What it counts, for whoever hears the link alone.
    pub(in crate::page) words: String,
}

/// A heat map: the names of the columns, and each row with its name.
pub(in crate::page) fn heat(label: &str, corner: &str, heads: &[&str], rows: &[(String, Vec<Cell>)]) -> Markup {
    let most = rows.iter().flat_map(|(_, cells)| cells).map(|cell| cell.count).max().unwrap_or(0);
    let table = html! {
        thead { tr { th scope="col" { (corner) } @for head in heads { th scope="col" { (head) } } } }
        tbody {
            @for (name, cells) in rows {
                tr {
                    th scope="row" { (name) }
                    @for cell in cells {
                        td class={ "heat-" (depth(cell.count, most)) } {
                            @if cell.count == 0 { span { "0" } }
                            @else { a href=(cell.address) aria-label=(cell.words) { (count(cell.count)) } }
                        }
                    }
                }
            }
        }
    };
    html! { div.heat { (parts::table(label, table)) } }
}

/// From 0 for none to 5 for the most. Each step is five times the one before: few cells hold most keys, and the others would all look
/// alike.
fn depth(count: u64, most: u64) -> u8 {
    if count == 0 {
        return 0;
    }
    let (mut depth, mut bound) = (5, most / 5);
    while depth > 1 && count <= bound {
        depth -= 1;
        bound /= 5;
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn the_most_is_deepest_and_one_is_more_than_none() {
        let depths = [0, 1, 5, 20, 90, 180, 900, 1_000].map(|count| depth(count, 1_000));
        assert_eq!(depths, [0, 1, 2, 3, 4, 4, 5, 5]);
        assert_eq!(depth(1, 1), 5);
    }
}
