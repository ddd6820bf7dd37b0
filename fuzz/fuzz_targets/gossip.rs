#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peermux_protocols::fuzzing::gossip(data));
