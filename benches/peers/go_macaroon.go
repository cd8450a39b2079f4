// go-macaroon. The arguments are those of rust/src/lib.rs.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"log"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"gopkg.in/macaroon.v2"
)

var errUnmet = errors.New("unmet")

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func require(holds bool, what string) {
	if !holds {
		log.Fatal("wrong result: ", what)
	}
}

func expiry(caveat string) (uint64, error) {
	if !strings.HasPrefix(caveat, "time < ") {
		return 0, errUnmet
	}
	return strconv.ParseUint(caveat[len("time < "):], 10, 64)
}

func write(m *macaroon.Macaroon) (string, error) {
	bytes, err := m.MarshalBinary()
	return base64.RawURLEncoding.EncodeToString(bytes), err
}

func read(text string) (*macaroon.Macaroon, error) {
	bytes, err := macaroon.Base64Decode([]byte(text))
	if err != nil {
		return nil, err
	}
	m := new(macaroon.Macaroon)
	return m, m.UnmarshalBinary(bytes)
}

func measure(work string, text string, length time.Duration, once func()) {
	batch := func(count int) time.Duration {
		start := time.Now()
		for i := 0; i < count; i++ {
			once()
		}
		return time.Since(start)
	}
	count := 1
	for batch(count) < 100*time.Microsecond {
		count *= 2
	}
	for start := time.Now(); time.Since(start) < length/4; {
		batch(count)
	}
	var times []float64
	for start := time.Now(); time.Since(start) < length; {
		times = append(times, float64(batch(count).Nanoseconds())/float64(count))
	}
	sort.Float64s(times)
	must(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"work": work, "ns": times[0], "median_ns": times[len(times)/2], "text": text,
	}))
}

func main() {
	if len(os.Args) != 8 {
		log.Fatal("an argument is missing")
	}
	seconds, err := strconv.ParseFloat(os.Args[1], 64)
	must(err)
	length := time.Duration(seconds * float64(time.Second))
	secret, location, identifier := []byte(os.Args[2]), os.Args[3], []byte(os.Args[4])
	caveat, further := []byte(os.Args[5]), []byte(os.Args[6])
	now, err := strconv.ParseUint(os.Args[7], 10, 64)
	must(err)
	expires, err := expiry(string(caveat))
	must(err)

	mint := func() (string, error) {
		m, err := macaroon.New(secret, identifier, location, macaroon.V1)
		if err != nil {
			return "", err
		}
		if err := m.AddFirstPartyCaveat(caveat); err != nil {
			return "", err
		}
		return write(m)
	}
	verify := func(text string, secret []byte, now uint64) error {
		m, err := read(text)
		if err != nil {
			return err
		}
		return m.Verify(secret, func(predicate string) error {
			expires, err := expiry(predicate)
			if err == nil && now >= expires {
				err = errUnmet
			}
			return err
		}, nil)
	}
	attenuate := func(text string) (string, error) {
		m, err := read(text)
		if err != nil {
			return "", err
		}
		if err := m.AddFirstPartyCaveat(further); err != nil {
			return "", err
		}
		return write(m)
	}

	text, err := mint()
	must(err)
	narrower, err := attenuate(text)
	must(err)
	forged := []byte(text)
	at := &forged[len(forged)-12]
	if *at == 'A' {
		*at = 'B'
	} else {
		*at = 'A'
	}
	require(verify(text, secret, now) == nil, "a good token is refused")
	require(verify(narrower, secret, now) == nil, "an attenuated token is refused")
	require(verify(string(forged), secret, now) != nil, "a forged token is accepted")
	require(verify(text, []byte("another"), now) != nil, "another secret is accepted")
	require(verify(text, secret, expires) != nil, "an expired token is accepted")

	measure("mint", text, length, func() { _, err := mint(); must(err) })
	measure("verify", "", length, func() { must(verify(text, secret, now)) })
	measure("attenuate", narrower, length, func() { _, err := attenuate(text); must(err) })
}
