//! A part of the work, for one of several processes.

use std::str::FromStr;

/// The `number`-th of `count` parts, from 1: every `count`-th study of the sorted list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    count: usize,
}

impl Shard {
    /// Those of `all` that are of this part. All parts together are `all`, and no two share any.
    pub fn of<T>(self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip(self.number - 1).step_by(self.count).collect()
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(number, count)| {
            Some(Self { number: number.trim().parse().ok()?, count: count.trim().parse().ok()? })
        });
        parsed
            .filter(|shard| (1..=shard.count).contains(&shard.number))
            .ok_or_else(|| "a part is written i/n, from 1/n to n/n, as in 3/8".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_disjoint_and_complete() {
        for length in [0, 1, 5, 12] {
            for count in 1..7 {
                let mut all = Vec::new();
                for number in 1..=count {
                    let shard: Shard = format!("{number}/{count}").parse().unwrap();
                    all.extend(shard.of((0..length).collect()));
                }
                all.sort();
                assert_eq!(all, (0..length).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for text in ["0/3", "4/3", "3", "1/0", "a/b", "-1/3", "1/3/4", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
