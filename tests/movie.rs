//! Movies: one frame per snapshot, as GIF and APNG, and the frames passed to ffmpeg if it is
//! installed.

mod common;

use std::path::Path;
use std::process::Command;

use common::skip::{Missing, skip};
use common::test_folder::{TestFolder, text};

const EXPERIMENT: &str = "[data]\nsource = \"xor\"\n[network]\nwidth = 16\n[risk]\nloss = \"softmin\"\n[flow]\nsteps = 20\nstep = 0.5\n[output]\nrecords = 8\nsnapshots = 3\n";

#[test]
fn movies_have_a_frame_per_snapshot() {
    let place = TestFolder::new();
    place.put("e.toml", EXPERIMENT);
    place.ok("run e.toml --out a --engine cpu --no-plots --set grid.network.width=[8,16]");
    let said = place.ok("movie a");
    assert!(
        said.contains("movie.gif") && said.contains("movie.apng"),
        "{said}"
    );
    let gif = std::fs::File::open(place.path("a/figures/movie.gif")).unwrap();
    let mut gif = gif::DecodeOptions::new().read_info(gif).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = gif.read_next_frame().unwrap() {
        frames.push(frame.buffer.to_vec());
    }
    assert_eq!(frames.len(), 3);
    // The frames differ.
    assert!(frames[0] != frames[2]);
    let apng = std::fs::File::open(place.path("a/figures/movie.apng")).unwrap();
    let apng = png::Decoder::new(std::io::BufReader::new(apng))
        .read_info()
        .unwrap();
    let info = apng.info();
    assert_eq!(
        (info.width, info.animation_control.unwrap().num_frames),
        (800, 3)
    );
    assert_eq!((gif.width(), u32::from(gif.height())), (800, info.height));
    place.ok("movie a --run 0 --quiet");
    assert!(place.path("a/figures/movie-000.gif").exists());
    place.fails("movie a --run 2", 2, &["--run", "runs 0 to 1"]);
    // Of runs of one width the longest is shown.
    place.ok("run e.toml --out c --engine cpu --no-plots --set grid.flow.steps=[10,20,15]");
    let said = text(&place.run("movie c").stderr);
    assert!(said.contains("run 1 in 3 frames"), "{said}");
    place.ok("run e.toml --out b --engine cpu --no-plots --set output.snapshots=0");
    place.fails("movie b", 2, &["snapshots", "output.snapshots"]);
}

/// A folder to use as PATH, with a script in the place of ffmpeg.
#[cfg(unix)]
fn path_with(place: &TestFolder, ffmpeg: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let bin = place.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    place.put("bin/ffmpeg", &format!("#!/bin/sh\n{ffmpeg}\n"));
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(bin.join("ffmpeg"), executable).unwrap();
    bin
}

/// Which frames ffmpeg gets, the messages about them, and the messages if ffmpeg is missing, fails,
/// or stops reading.
#[cfg(unix)]
#[test]
fn frames_go_to_ffmpeg_where_there_is_one() {
    let place = TestFolder::new();
    place.put("e.toml", EXPERIMENT);
    place.ok("run e.toml --out a --engine cpu --no-plots");
    let movie = |path: &Path| {
        let out = place.command("movie a").env("PATH", path).output().unwrap();
        assert!(out.status.success(), "{}", text(&out.stderr));
        (text(&out.stdout), text(&out.stderr))
    };
    let mp4 = place.path("a/figures/movie.mp4");
    let (made, said) = movie(&place.path("nowhere"));
    assert!(said.contains("no MP4: ffmpeg is not on the path"), "{said}");
    assert!(made.contains("movie.apng") && !made.contains("mp4") && !mp4.exists());
    let (cat, dir) = ("/usr/bin/env PATH=/bin:/usr/bin cat", place.dir.path());
    let record = format!(
        "for last; do echo \"$last\"; done > {0}/arguments\n{cat} > {0}/frames\necho movie > \"$last\"",
        dir.display()
    );
    let (made, said) = movie(&path_with(&place, &record));
    assert!(
        made.contains("movie.mp4") && !said.contains("no MP4"),
        "{made} {said}"
    );
    assert_eq!(std::fs::read_to_string(&mp4).unwrap(), "movie\n");
    let arguments = std::fs::read_to_string(place.path("arguments")).unwrap();
    let arguments: Vec<&str> = arguments.lines().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|word| *word == name).unwrap();
        arguments[at + 1]
    };
    let gif = std::fs::File::open(place.path("a/figures/movie.gif")).unwrap();
    let gif = gif::DecodeOptions::new().read_info(gif).unwrap();
    let (width, height) = (usize::from(gif.width()), usize::from(gif.height()));
    assert_eq!(after("-s"), format!("{width}x{height}"));
    assert_eq!((after("-f"), after("-i")), ("rawvideo", "-"));
    // Three frames of rgb24, the first as the APNG has it.
    let frames = std::fs::read(place.path("frames")).unwrap();
    assert_eq!(frames.len(), 3 * 3 * width * height);
    let apng = std::fs::File::open(place.path("a/figures/movie.apng")).unwrap();
    let mut apng = png::Decoder::new(std::io::BufReader::new(apng))
        .read_info()
        .unwrap();
    let mut first = vec![0; 3 * width * height];
    apng.next_frame(&mut first).unwrap();
    assert!(frames[..first.len()] == first[..]);
    assert!(frames[2 * first.len()..] != first[..], "nothing moves");
    // No other files are left beside the movies.
    let left = std::fs::read_dir(place.path("a/figures")).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| name.starts_with("movie.")));
    // A failure is reported with its reason, and an older film is removed.
    for (script, words) in [
        (
            "echo 'no encoder' >&2; exit 3",
            "no MP4: ffmpeg failed: no encoder",
        ),
        ("exit 0", "no MP4: ffmpeg stopped at some frame"),
        (
            &format!("{cat} > /dev/null"),
            "no MP4: ffmpeg made no movie",
        ),
    ] {
        let (made, said) = movie(&path_with(&place, script));
        assert!(
            said.contains(words) && !made.contains("mp4"),
            "{made} {said}"
        );
        assert!(!mp4.exists());
        place.put("a/figures/movie.mp4", "old");
    }
}

/// The real ffmpeg, if it is installed: a film of all frames, with the last one shown some seconds
/// longer.
#[test]
fn ffmpeg_itself_makes_a_movie() {
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        skip(
            Missing::Ffmpeg,
            "no ffmpeg on the path, so no MP4 is made (tests/run.sh installs it)",
        );
        return;
    }
    let place = TestFolder::new();
    place.put("e.toml", EXPERIMENT);
    place.ok("run e.toml --out a --engine cpu --no-plots");
    let said = place.ok("movie a");
    assert!(said.contains("movie.mp4"), "{said}");
    let film = std::fs::read(place.path("a/figures/movie.mp4")).unwrap();
    assert_eq!(&film[4..8], b"ftyp");
    let out = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-i"])
        .arg(place.path("a/figures/movie.mp4"))
        .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    let gif = std::fs::File::open(place.path("a/figures/movie.gif")).unwrap();
    let gif = gif::DecodeOptions::new().read_info(gif).unwrap();
    let even = |side: u16| usize::from(side).next_multiple_of(2);
    let frame = 3 * even(gif.width()) * even(gif.height());
    assert_eq!(out.stdout.len() % frame, 0);
    assert!(out.stdout.len() / frame > 3, "{}", out.stdout.len() / frame);
}
