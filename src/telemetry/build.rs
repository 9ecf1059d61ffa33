//! What the build says of the program.

/// The version alone, as Cargo.toml has it.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The commit, if the build said it. There is no build script that asks Git: it would compile the
/// program again after every commit, and find nothing in a source archive. `manifests/dist` and the
/// container's build set `SOURCE_COMMIT`, empty where there is no Git, and the compiler notices when it changes.
pub fn commit() -> Option<&'static str> {
    named(option_env!("SOURCE_COMMIT"))
}

fn named(commit: Option<&str>) -> Option<&str> {
    commit.filter(|commit| !commit.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_commit_is_none() {
        assert_eq!([named(None), named(Some("")), named(Some("3f2a9c1d"))], [None, None, Some("3f2a9c1d")]);
    }
}
