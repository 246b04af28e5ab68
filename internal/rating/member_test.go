package rating

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestCheckRoster(t *testing.T) {
	jpeg := func(n int) []byte { return append([]byte("\xff\xd8\xff"), bytes.Repeat([]byte{1}, n-3)...) }
	member := func(id string, change func(*Member)) Member {
		m := Member{Staff: Staff{ID: id, Name: "王丽", Department: "户政科"}}
		if change != nil {
			change(&m)
		}
		return m
	}
	var many, pictured []Member
	for i := range MaxMembers + 1 {
		many = append(many, member(fmt.Sprint("n", i), nil))
	}
	for i := range 5 {
		pictured = append(pictured, member(fmt.Sprint("n", i), func(m *Member) { m.Photo = jpeg(20 << 10) }))
	}
	for name, c := range map[string]struct {
		all  []Member
		want string // empty for none
	}{
		"two without a card": {[]Member{member("1", nil), member("2", nil)}, ""},
		"as many as allowed": {many[:MaxMembers], ""},
		"too many":           {many, "at most 64"},
		"no number":          {[]Member{member("", nil)}, "staff number is missing"},
		"number twice":       {[]Member{member("1", nil), member("1", nil)}, "stands twice"},
		"card twice": {[]Member{member("1", func(m *Member) { m.Card = "9" }), member("2", func(m *Member) { m.Card = "9" })},
			"same card"},
		"long name":         {[]Member{member("1", func(m *Member) { m.Name = strings.Repeat("长", MaxName+1) })}, "name"},
		"card with a space": {[]Member{member("1", func(m *Member) { m.Card = "1 2" })}, "card"},
		"no JPEG":           {[]Member{member("1", func(m *Member) { m.Photo = []byte("GIF89a") })}, "no JPEG"},
		"large photo":       {[]Member{member("1", func(m *Member) { m.Photo = jpeg(MaxPhoto + 1) })}, "save it smaller"},
		"photos in all":     {pictured, "in all"},
		"fewer photos":      {pictured[:4], ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckRoster(c.all)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
