package cohortbench;

/** What a contestant did, for the orchestrator. */
record Report(String contestant, long applied, long firstMs, long lastMs, long checkpoints) {
    String json() {
        return String.format(
                "{\"contestant\":\"%s\",\"applied\":%d,\"first_ms\":%d,\"last_ms\":%d,"
                        + "\"checkpoints\":%d}",
                contestant, applied, firstMs, lastMs, checkpoints);
    }
}
