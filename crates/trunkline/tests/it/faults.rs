//! Killed at any moment: a short run of `trunkline bench faults`; the long one is in `bench/README.md`.

use std::process::Command;

#[test]
fn nothing_is_lost_or_doubled_when_the_hub_is_killed() {
    let run = Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .args(["bench", "faults", "--kills", "15", "--friends", "6"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}\n{}", String::from_utf8_lossy(&run.stderr));
    assert!(told.contains("lost 0, doubled 0"), "{told}");
}
