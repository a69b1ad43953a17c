package cohortbench;

/**
 * Reads of an event in PostHog's capture shape what conditions ask for, and stops reading as soon
 * as it has that or sees a name that nobody watches.
 *
 * <p>Keeps its place in itself: each thread needs its own.
 */
final class EventParser {
    private static final Utf8 UUID = Utf8.of("uuid");
    private static final Utf8 EVENT = Utf8.of("event");
    private static final Utf8 PERSON = Utf8.of("distinct_id");
    private static final Utf8 TIME = Utf8.of("timestamp");
    private static final Utf8 PROPERTIES = Utf8.of("properties");
    private static final long NO_TIME = Long.MIN_VALUE;
    private static final int NOT_SEEN = -1;

    private final Catalog catalog;
    private final JsonCursor json = new JsonCursor();

    private Watched watched;
    private String person;
    private long timeMs;
    private long tag;
    private int slots;
    /** Whether the properties have been held against all filters. */
    private boolean filtered;
    /** Where properties begin that came before the name. */
    private int propertiesAt;

    EventParser(Catalog catalog) {
        this.catalog = catalog;
    }

    Sighting parse(byte[] bytes) {
        return parse(bytes, 0, bytes.length);
    }

    /** What an event means to the conditions; null if nothing, or if it isn't one. */
    Sighting parse(byte[] bytes, int offset, int length) {
        json.open(bytes, offset, offset + length);
        watched = null;
        person = null;
        timeMs = NO_TIME;
        tag = Sighting.NO_TAG;
        slots = 0;
        filtered = false;
        propertiesAt = NOT_SEEN;
        try {
            return event();
        } catch (MalformedException malformed) {
            return null;
        }
    }

    private Sighting event() throws MalformedException {
        for (boolean more = json.enter(); more; more = json.next()) {
            json.name();
            if (json.is(UUID)) {
                json.text();
                tag = json.hash();
            } else if (json.is(EVENT)) {
                json.text();
                watched = json.watched(catalog);
                if (watched == null) {
                    return null;
                }
                begin();
            } else if (json.is(PERSON)) {
                json.text();
                person = json.decoded();
            } else if (json.is(TIME)) {
                json.text();
                timeMs = json.instantMs();
            } else if (json.is(PROPERTIES) && !filtered) {
                properties();
            } else {
                json.skip();
            }
            if (filtered && isRestKnown()) {
                break;
            }
        }
        boolean counts = watched != null && person != null && timeMs != NO_TIME && slots != 0;
        return counts ? new Sighting(person, timeMs, tag, slots) : null;
    }

    private boolean isRestKnown() {
        return person != null && timeMs != NO_TIME && tag != Sighting.NO_TAG;
    }

    /** The name is known now, so the properties that came before it can be looked at. */
    private void begin() throws MalformedException {
        slots = watched.always();
        filtered = watched.filtered().isEmpty();
        if (propertiesAt != NOT_SEEN && !filtered) {
            int here = json.position();
            json.moveTo(propertiesAt);
            filter(true);
            json.moveTo(here);
        }
    }

    private void properties() throws MalformedException {
        if (watched == null) {
            propertiesAt = json.position();
            json.skip();
        } else {
            filter(isRestKnown());
        }
    }

    /** Holds properties against filters; goes on to their end only if something follows them. */
    private void filter(boolean isLast) throws MalformedException {
        int missing = watched.filtered().size();
        filtered = true;
        for (boolean more = json.enter(); more; more = json.next()) {
            json.name();
            int asking = asking();
            if (asking == 0) {
                json.skip();
                continue;
            }
            slots |= accepting(asking);
            missing -= Integer.bitCount(asking);
            if (isLast && missing == 0) {
                return;
            }
        }
    }

    /** Which of the filters ask for the property whose name was just read, as bits. */
    private int asking() {
        int asking = 0;
        for (int number = 0; number < watched.filtered().size(); number++) {
            if (json.is(watched.filtered().get(number).filter().property())) {
                asking |= 1 << number;
            }
        }
        return asking;
    }

    /** The slots whose filters accept the value that comes next. */
    private int accepting(int asking) throws MalformedException {
        boolean isText = json.isAtText();
        if (!isText && !json.isAtNumber()) {
            json.skip();
            return 0;
        }
        double number = 0;
        if (isText) {
            json.text();
        } else {
            number = json.number();
        }
        int accepting = 0;
        for (int left = asking; left != 0; left &= left - 1) {
            Matcher matcher = watched.filtered().get(Integer.numberOfTrailingZeros(left));
            boolean accepts = isText
                    ? json.isAcceptedBy(matcher.filter())
                    : matcher.filter().acceptsNumber(number);
            accepting |= accepts ? 1 << matcher.slot() : 0;
        }
        return accepting;
    }
}
