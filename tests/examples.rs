//! Runs the examples.

#[path = "../examples/certify.rs"]
mod certify;
#[path = "../examples/closed_form.rs"]
mod closed_form;
#[path = "../examples/width_sweep.rs"]
#[allow(dead_code)] // its main names a folder
mod width_sweep;

#[test]
fn a_network_beside_its_closed_form() {
    closed_form::main().unwrap();
}

#[test]
fn a_network_beside_the_optimum() {
    certify::main().unwrap();
}

#[test]
fn a_sweep_over_widths() {
    let dir = tempfile::tempdir().unwrap();
    width_sweep::sweep(&dir.path().join("out")).unwrap();
}
