package cohortbench;

/** Says that a text is no event; without a stack trace, since strangers send those in masses. */
final class MalformedException extends Exception {
    static final MalformedException INSTANCE = new MalformedException();
    private static final long serialVersionUID = 1L;

    private MalformedException() {
        super("not an event", null, false, false);
    }
}
