package fleet_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/rating"
)

// posts is what an organisation says of its windows.
type posts map[string]post

type post struct {
	name   string
	people []rating.Staff
}

func (p posts) Texts(window string) (rating.Window, []rating.Staff, error) {
	x, ok := p[window]
	if !ok {
		return rating.Window{}, nil, directory.ErrUnknown
	}
	return rating.Window{ID: window, Name: x.name, Hall: "大厅"}, x.people, nil
}

// Who serves alone is on the screen; several sign in, with the cards that the box knew. How the window asks stays.
func TestServe(t *testing.T) {
	zhao, qian := rating.Staff{ID: "1", Name: "赵示例", Department: "单位"}, rating.Staff{ID: "2", Name: "钱示例", Department: "单位"}
	card := rating.Member{Staff: rating.Staff{ID: "1", Name: "旧名"}, Card: "0012"}
	walkUp := &rating.WalkUp{PauseSec: 10, LinkSec: 300}
	for name, c := range map[string]struct {
		signIn bool
		before []rating.Member
		people []rating.Staff
		staff  rating.Staff
		roster []rating.Member
	}{
		"nobody":           {false, []rating.Member{card}, nil, rating.Staff{}, nil},
		"one":              {false, nil, []rating.Staff{zhao}, zhao, nil},
		"one with a card":  {false, []rating.Member{card}, []rating.Staff{zhao}, zhao, []rating.Member{{Staff: zhao, Card: "0012"}}},
		"one who signs in": {true, nil, []rating.Staff{zhao}, rating.Staff{}, []rating.Member{{Staff: zhao}}},
		"two": {false, []rating.Member{card}, []rating.Staff{zhao, qian}, rating.Staff{},
			[]rating.Member{{Staff: zhao, Card: "0012"}, {Staff: qian}}},
	} {
		d := fleet.Device{Roster: c.before, Window: rating.Window{ID: "old", Generation: 4, Staff: qian, SignIn: c.signIn, WalkUp: walkUp}}
		want := fleet.Device{Follows: true, Roster: c.roster,
			Window: rating.Window{ID: "A1", Name: "一号", Hall: "大厅", Generation: 4, Staff: c.staff, SignIn: c.signIn, WalkUp: walkUp}}
		if diff := cmp.Diff(want, d.Serve(rating.Window{ID: "A1", Name: "一号", Hall: "大厅"}, c.people)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestFollow changes an organisation under sixty boxes: those whose texts change get the next generation, those entered by hand and those
// whose window is gone keep theirs.
func TestFollow(t *testing.T) {
	f, j := open(t)
	if _, err := directory.Open(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	said := posts{"A1": {name: "一号"}, "A2": {name: "二号"}}
	var all []fleet.Device
	for i := range 60 {
		w := rating.Window{ID: []string{"A1", "A2"}[i%2], Name: "手写", Hall: "大厅", Generation: 1}
		d := fleet.Device{ID: rating.DeviceID("lz-" + string(rune('a'+i/10)) + string(rune('0'+i%10))), Window: w, EnrolledAt: time.UnixMilli(1)}
		d.Key = keyOf(byte(i))
		if d.Follows = i > 3; d.Follows {
			d = d.Serve(rating.Window{ID: w.ID, Name: said[w.ID].name, Hall: "大厅"}, nil)
		}
		all = append(all, d)
	}
	if err := f.PutAll(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	follow := func(want int, gone bool) {
		t.Helper()
		n, kept, err := f.Follow(t.Context(), said)
		if err != nil || n != want || gone != errors.Is(kept, directory.ErrUnknown) {
			t.Errorf("%d boxes changed, %v, %v; want %d", n, kept, err, want)
		}
	}
	follow(0, false)
	said["A2"] = post{name: "第二号"}
	follow(28, false)
	follow(0, false)
	delete(said, "A1")
	follow(0, true)
	for i, d := range all {
		has, err := f.Device(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		want := d.Window
		if i > 3 && i%2 == 1 {
			want.Name, want.Generation = "第二号", 2
		}
		if diff := cmp.Diff(want, has.Window); diff != "" {
			t.Errorf("box %d (-want +got):\n%s", i, diff)
		}
	}
}
