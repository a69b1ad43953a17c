// What a shop's own code does with posthog-go, unmodified: capture, wait until it is sent, ask.
//
// Called with the address, the project's token and its secret; TOUR_DEFINITIONS is the project's
// folder. Prints what it saw as JSON, and fails on the first thing that isn't as it should be.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"github.com/posthog/posthog-go"
)

// How long anything may take that is bound to happen.
const within = 30 * time.Second

var saw = map[string]interface{}{}

func fail(format string, arguments ...interface{}) {
	told, _ := json.Marshal(saw)
	fmt.Println(string(told))
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

func expect(what string, value, wanted interface{}) {
	saw[what] = value
	if !reflect.DeepEqual(value, wanted) {
		fail("%s: %#v, wanted %#v", what, value, wanted)
	}
}

func eventually(what string, is func() bool) {
	for began := time.Now(); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > within {
			fail("in vain: %s", what)
		}
	}
}

// Shop is a client with what it was asked to send, and what came of that.
type Shop struct {
	posthog.Client
	mutex            sync.Mutex
	queued, accepted int
	errors           []string
}

func open(host, token, secret string) *Shop {
	shop := &Shop{errors: []string{}}
	client, err := posthog.NewWithConfig(token, posthog.Config{
		Endpoint:       host,
		PersonalApiKey: secret,
		Interval:       10 * time.Millisecond,
		Callback:       shop,
		Logger:         shop,
	})
	if err != nil {
		fail("no client: %s", err)
	}
	shop.Client = client
	return shop
}

// Success is told by the SDK of each event, those that it sends by itself among them.
func (shop *Shop) Success(message posthog.APIMessage) {
	capture, isCapture := message.(posthog.CaptureInApi)
	if isCapture && capture.Event == "$feature_flag_called" {
		return
	}
	shop.mutex.Lock()
	defer shop.mutex.Unlock()
	shop.accepted++
}

// Failure is told of events that were given up.
func (shop *Shop) Failure(_ posthog.APIMessage, err error) { shop.Errorf("%s", err) }

// Logf is the SDK's log.
func (shop *Shop) Logf(string, ...interface{}) {}

// Errorf is what the SDK complains of.
func (shop *Shop) Errorf(format string, arguments ...interface{}) {
	shop.mutex.Lock()
	defer shop.mutex.Unlock()
	shop.errors = append(shop.errors, fmt.Sprintf(format, arguments...))
}

// send hands events over, and waits until all of them are accepted: the SDK has no flush.
func (shop *Shop) send(messages ...posthog.Message) {
	for _, message := range messages {
		if err := shop.Enqueue(message); err != nil {
			fail("%#v isn't taken: %s", message, err)
		}
	}
	shop.queued += len(messages)
	eventually("events are sent", func() bool {
		shop.mutex.Lock()
		defer shop.mutex.Unlock()
		return shop.accepted == shop.queued
	})
}

func (shop *Shop) add(person string, when time.Time) {
	price := posthog.NewProperties().Set("price", 60)
	add := posthog.Capture{
		DistinctId: person, Event: "added to cart", Properties: price, Timestamp: when,
	}
	shop.send(add, add, add)
}

// flag is the value that the SDK gives, or else what it complains of.
func (shop *Shop) flag(asked posthog.FeatureFlagPayload) interface{} {
	value, err := shop.GetFeatureFlag(asked)
	if err != nil {
		return err.Error()
	}
	return value
}

func (shop *Shop) of(key, person string) interface{} {
	return shop.flag(posthog.FeatureFlagPayload{Key: key, DistinctId: person})
}

func (shop *Shop) all(asked posthog.FeatureFlagPayloadNoKey) map[string]interface{} {
	flags, err := shop.GetAllFlags(asked)
	if err != nil {
		fail("all flags of %s: %s", asked.DistinctId, err)
	}
	return flags
}

func (shop *Shop) payload(key, person string) interface{} {
	asked := posthog.FeatureFlagPayload{Key: key, DistinctId: person}
	payload, err := shop.GetFeatureFlagPayload(asked)
	if err != nil {
		return err.Error()
	}
	return payload
}

func events(shop *Shop) {
	now := time.Time{}
	expect("offer before", shop.of("offer", "go-ann"), false)
	shop.add("go-ann", now)
	expect("offer after three adds", shop.of("offer", "go-ann"), true)
	expect("by PostHog's own cohort", shop.of("regulars", "go-ann"), true)
	expect("payload", shop.payload("offer", "go-ann"), `{"text":"Free shipping"}`)
	expect("offer of somebody else", shop.of("offer", "go-ben"), false)
	expect("payload of somebody else", shop.payload("offer", "go-ben"), "")
	expect("a flag that isn't there", shop.of("nothing", "go-ann"), false)

	variant := shop.of("banner", "go-ann")
	expect("variant is one of two", variant == "control" || variant == "banner", true)
	everything := shop.all(posthog.FeatureFlagPayloadNoKey{DistinctId: "go-ann"})
	expect("variant among all flags", everything["banner"], variant)
	expect("offer among all flags", everything["offer"], true)

	shop.add("go-visitor", now)
	expect("offer before the log-in", shop.of("offer", "go-dora"), false)
	shop.send(posthog.Alias{DistinctId: "go-dora", Alias: "go-visitor"})
	expect("offer after the log-in", shop.of("offer", "go-dora"), true)

	shop.add("go-cleo", time.Now().Add(-6*time.Minute))
	expect("offer six minutes later", shop.of("offer", "go-cleo"), false)
	expect("many adds in an hour", shop.of("many-adds", "go-cleo"), true)

	shop.send(posthog.Capture{DistinctId: "go-ann", Event: "purchase"})
	expect("offer after the purchase", shop.of("offer", "go-ann"), false)
}

func properties(shop *Shop) {
	perks := func(plan interface{}) interface{} {
		asked := posthog.FeatureFlagPayload{Key: "perks", DistinctId: "go-ann"}
		if plan != nil {
			asked.PersonProperties = posthog.NewProperties().Set("plan", plan)
		}
		return shop.flag(asked)
	}
	expect("perks without a plan", perks(nil), false)
	expect("perks by override", perks("pro"), true)
	team := posthog.NewProperties().Set("plan", "team")
	shop.send(posthog.Identify{DistinctId: "go-ann", Properties: team})
	expect("perks once identified", perks(nil), true)
	expect("perks by override, off", perks("free"), false)

	seats := func(company string, overrides posthog.Properties) interface{} {
		asked := posthog.FeatureFlagPayload{Key: "seats", DistinctId: "go-ann"}
		if company != "" {
			asked.Groups = posthog.NewGroups().Set("company", company)
		}
		if overrides != nil {
			asked.GroupProperties = map[string]posthog.Properties{"company": overrides}
		}
		return shop.flag(asked)
	}
	expect("seats of an unknown company", seats("go-acme", nil), false)
	many := posthog.NewProperties().Set("seats", 80)
	shop.send(posthog.GroupIdentify{Type: "company", Key: "go-acme", Properties: many})
	expect("seats of the company", seats("go-acme", nil), true)
	expect("seats of another", seats("go-other", nil), false)
	expect("seats of no company", seats("", nil), false)
	expect("seats by override", seats("go-other", many), true)
	few := posthog.NewProperties().Set("seats", 5)
	expect("seats by override, off", seats("go-acme", few), false)
	everything := shop.all(posthog.FeatureFlagPayloadNoKey{
		DistinctId: "go-ann", Groups: posthog.NewGroups().Set("company", "go-acme"),
	})
	expect("seats among all flags", everything["seats"], true)
}

// decideLocally: with the secret, the SDK decides by itself what needs no events, and asks for
// the rest.
func decideLocally(shop, asking *Shop) {
	isSent := false
	alone := func(key, person string, more posthog.FeatureFlagPayload) interface{} {
		more.Key, more.DistinctId = key, person
		more.OnlyEvaluateLocally, more.SendFeatureFlagEvents = true, &isSent
		return shop.flag(more)
	}
	nothing := posthog.FeatureFlagPayload{}
	definitions, err := shop.GetFeatureFlags()
	if err != nil {
		fail("no definitions: %s, %s", err, shop.errors)
	}
	expect("definitions loaded", len(definitions), len(asking.all(
		posthog.FeatureFlagPayloadNoKey{DistinctId: "go-eve"})))
	for n := 0; n < 40; n++ {
		person := fmt.Sprintf("go-person-%d", n)
		expect("a plain flag, alone", alone("banner", person, nothing), asking.of("banner", person))
	}
	with := func(plan string) posthog.FeatureFlagPayload {
		properties := posthog.NewProperties().Set("plan", plan)
		return posthog.FeatureFlagPayload{PersonProperties: properties}
	}
	expect("a property that is told, alone", alone("perks", "go-eve", with("pro")), true)
	expect("another, alone", alone("perks", "go-eve", with("free")), false)
	unknown := "Can't determine if feature flag is enabled or not with given properties"
	expect("a property that isn't told, alone", alone("perks", "go-eve", nothing), unknown)
	company := func(seats int) posthog.FeatureFlagPayload {
		properties := posthog.NewProperties().Set("seats", seats)
		return posthog.FeatureFlagPayload{
			Groups:          posthog.NewGroups().Set("company", "go-acme"),
			GroupProperties: map[string]posthog.Properties{"company": properties},
		}
	}
	expect("a group's property, alone", alone("seats", "go-eve", company(80)), true)
	expect("another group's, alone", alone("seats", "go-eve", company(5)), false)
	expect("payload of what is decided alone", shop.payload("settings", "go-eve"), `{"colour":"green"}`)

	absent := "can't match cohort: cohort 8 not found"
	expect("PostHog's cohort of events, alone", alone("regulars", "go-eve", nothing), absent)
	_, isTold := alone("offer", "go-eve", nothing).(bool)
	expect("a flag on events is decided alone", isTold, false)
	expect("a flag on events, asked, before", shop.of("offer", "go-eve"), false)
	shop.add("go-eve", time.Time{})
	expect("a flag on events, asked", shop.of("offer", "go-eve"), true)
	expect("PostHog's cohort of events, asked", shop.of("regulars", "go-eve"), true)
	expect("its payload", shop.payload("offer", "go-eve"), `{"text":"Free shipping"}`)
	everything := shop.all(posthog.FeatureFlagPayloadNoKey{DistinctId: "go-eve"})
	expect("offer among all flags, asked", everything["offer"], true)
	expect("a plain flag among them", everything["banner"], asking.of("banner", "go-eve"))
	shop.send(posthog.Capture{DistinctId: "go-eve", Event: "seen", SendFeatureFlags: true})
	sent := shop.GetLastCapturedEvent().Properties
	expect("a flag that is sent along", sent["$feature/offer"], true)
	settings, err := shop.GetRemoteConfigPayload("settings")
	expect("remote configuration", fmt.Sprint(settings, err), `{"colour":"green"}<nil>`)
}

// reload: what an analyst saves is decided alone once the SDK has loaded it.
func reload(shop *Shop, definitions string) {
	isSent := false
	late := func() interface{} {
		return shop.flag(posthog.FeatureFlagPayload{
			Key: "go-late", DistinctId: "go-eve", OnlyEvaluateLocally: true,
			SendFeatureFlagEvents: &isSent,
		})
	}
	expect("a flag that isn't saved", late(), nil)
	draft := filepath.Join(definitions, "flags", "go-late.draft")
	saved := filepath.Join(definitions, "flags", "go-late.yaml")
	if err := os.WriteFile(draft, []byte("rules:\n  - rollout: 100%\n"), 0o644); err != nil {
		fail("the flag isn't written: %s", err)
	}
	if err := os.Rename(draft, saved); err != nil {
		fail("the flag isn't saved: %s", err)
	}
	eventually("a flag that is saved is loaded", func() bool {
		if err := shop.ReloadFeatureFlags(); err != nil {
			fail("not reloaded: %s", err)
		}
		return late() == true
	})
	saw["a flag that is saved, alone"] = late()
}

func main() {
	host, token, secret := os.Args[1], os.Args[2], os.Args[3]
	asking := open(host, token, "")
	events(asking)
	properties(asking)
	deciding := open(host, token, secret)
	decideLocally(deciding, asking)
	reload(deciding, os.Getenv("TOUR_DEFINITIONS"))
	for _, shop := range []*Shop{asking, deciding} {
		if err := shop.Close(); err != nil {
			fail("not closed: %s", err)
		}
	}
	expect("complaints", asking.errors, []string{})
	told, _ := json.Marshal(saw)
	fmt.Println(string(told))
}
