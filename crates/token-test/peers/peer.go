// Wraps go-macaroon: reads one JSON object per line and answers each with one. See src/peer.rs.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"gopkg.in/macaroon.v2"
)

type spec struct {
	Secret     string
	Location   string
	Identifier string
	Caveats    []struct {
		Cid        string
		ThirdParty *struct {
			Secret   string
			Location string
		} `json:"third_party"`
	}
}

type made struct {
	Root       string   `json:"root"`
	Discharges []string `json:"discharges"`
}

type question struct {
	Make *struct {
		Root       spec
		Discharges []spec
	}
	Check  *made
	Secret string
	Exact  []string
	Format string
}

type answer struct {
	Made  *made  `json:"made,omitempty"`
	Error string `json:"error,omitempty"`
}

func build(spec spec, format string) (*macaroon.Macaroon, error) {
	version := macaroon.V2
	if strings.HasPrefix(format, "v1") {
		version = macaroon.V1
	}
	secret, err := hex.DecodeString(spec.Secret)
	if err != nil {
		return nil, err
	}
	m, err := macaroon.New(secret, []byte(spec.Identifier), spec.Location, version)
	if err != nil {
		return nil, err
	}
	for _, caveat := range spec.Caveats {
		if caveat.ThirdParty == nil {
			err = m.AddFirstPartyCaveat([]byte(caveat.Cid))
		} else if secret, err = hex.DecodeString(caveat.ThirdParty.Secret); err == nil {
			err = m.AddThirdPartyCaveat(secret, []byte(caveat.Cid), caveat.ThirdParty.Location)
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

func write(m *macaroon.Macaroon, format string) (string, error) {
	if strings.HasSuffix(format, "j") {
		bytes, err := m.MarshalJSON()
		return string(bytes), err
	}
	bytes, err := m.MarshalBinary()
	return base64.RawURLEncoding.EncodeToString(bytes), err
}

func read(text string, format string) (*macaroon.Macaroon, error) {
	m := new(macaroon.Macaroon)
	if strings.HasSuffix(format, "j") {
		return m, m.UnmarshalJSON([]byte(text))
	}
	bytes, err := macaroon.Base64Decode([]byte(text))
	if err != nil {
		return nil, err
	}
	return m, m.UnmarshalBinary(bytes)
}

func reply(q question) (*made, error) {
	if q.Make != nil {
		root, err := build(q.Make.Root, q.Format)
		if err != nil {
			return nil, err
		}
		out := &made{Discharges: []string{}}
		if out.Root, err = write(root, q.Format); err != nil {
			return nil, err
		}
		for _, spec := range q.Make.Discharges {
			discharge, err := build(spec, q.Format)
			if err != nil {
				return nil, err
			}
			discharge.Bind(root.Signature())
			text, err := write(discharge, q.Format)
			if err != nil {
				return nil, err
			}
			out.Discharges = append(out.Discharges, text)
		}
		return out, nil
	}
	root, err := read(q.Check.Root, q.Format)
	if err != nil {
		return nil, err
	}
	var discharges []*macaroon.Macaroon
	for _, text := range q.Check.Discharges {
		discharge, err := read(text, q.Format)
		if err != nil {
			return nil, err
		}
		discharges = append(discharges, discharge)
	}
	secret, err := hex.DecodeString(q.Secret)
	if err != nil {
		return nil, err
	}
	return nil, root.Verify(secret, func(predicate string) error {
		for _, exact := range q.Exact {
			if exact == predicate {
				return nil
			}
		}
		return errors.New("not exact")
	}, discharges)
}

func main() {
	fmt.Println("ready")
	lines := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var q question
		var a answer
		if err = json.Unmarshal(line, &q); err == nil {
			a.Made, err = reply(q)
		}
		if err != nil {
			a.Error = err.Error()
			if a.Error == "" {
				a.Error = "refused"
			}
		}
		if out.Encode(a) != nil {
			return
		}
	}
}
