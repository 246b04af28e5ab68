package display

import (
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// The kernel knows a request by the size of its structure, which must be the same on every processor.
func TestStructuresHaveTheKernelsSize(t *testing.T) {
	for request, size := range map[uintptr]uintptr{
		drmGetCap: unsafe.Sizeof(drmCap{}), drmGetResources: unsafe.Sizeof(drmResources{}), drmGetCrtc: unsafe.Sizeof(drmCrtc{}),
		drmSetCrtc: unsafe.Sizeof(drmCrtc{}), drmGetEncoder: unsafe.Sizeof(drmEncoder{}), drmGetConnector: unsafe.Sizeof(drmConnector{}),
		drmAddFB: unsafe.Sizeof(drmFB{}), drmDirtyFB: unsafe.Sizeof(drmDirty{}), drmCreateDumb: unsafe.Sizeof(drmDumb{}),
		drmMapDumb: unsafe.Sizeof(drmMap{}), drmRemoveFB: 4, drmDestroyDumb: 4,
	} {
		if got := request >> 16 & 0x3fff; got != size {
			t.Errorf("request %x is for %d bytes, the structure has %d", request, got, size)
		}
	}
}

func TestChooseMode(t *testing.T) {
	mode := func(w, h uint16, kind uint32) drmMode { return drmMode{width: w, height: h, kind: kind} }
	interlaced := func(m drmMode) drmMode { m.flags |= drmInterlaced; return m }
	const driver = 1 << 6
	forced := []drmMode{mode(1024, 600, drmUserDefined), mode(1024, 768, driver), mode(800, 600, 0)}
	for name, c := range map[string]struct {
		modes        []drmMode
		wanted, want string
	}{
		"preferred":              {[]drmMode{mode(1920, 1080, 0), mode(1024, 600, drmPreferred), mode(800, 600, 0)}, "", "1024x600 true"},
		"preferred too large":    {[]drmMode{mode(3840, 2160, drmPreferred), mode(1280, 720, 0), mode(1920, 1080, 0)}, "", "1920x1080 true"},
		"preferred not drawable": {[]drmMode{mode(2560, 1600, drmPreferred), mode(800, 600, 0)}, "", "800x600 true"},
		"native of 16:10":        {[]drmMode{mode(1920, 1200, drmPreferred), mode(1920, 1080, 0), mode(1600, 1200, 0)}, "", "1920x1200 true"},
		"upright of 16:10":       {[]drmMode{mode(1200, 1920, drmPreferred)}, "", "1200x1920 true"},
		"upright":                {[]drmMode{mode(720, 1280, drmPreferred)}, "", "720x1280 true"},
		"too small":              {[]drmMode{mode(128, 64, drmPreferred)}, "", "0x0 false"},
		"none":                   {nil, "", "0x0 false"},
		"forced":                 {forced, "", "1024x600 true"},
		"forced and preferred":   {append(forced, mode(1280, 720, drmPreferred)), "", "1024x600 true"},
		"forced and large":       {[]drmMode{mode(2560, 1440, drmUserDefined), mode(1280, 720, drmPreferred)}, "", "2560x1440 true"},
		"forced not drawable":    {[]drmMode{mode(160, 120, drmUserDefined), mode(1280, 720, drmPreferred)}, "", "1280x720 true"},
		"named":                  {append(forced, mode(1280, 720, drmPreferred)), "800x600", "800x600 true"},
		"named and absent":       {[]drmMode{mode(1280, 720, drmPreferred), mode(800, 600, 0)}, "640x480", "1280x720 true"},
		"named and large":        {[]drmMode{mode(1280, 720, drmPreferred), mode(3840, 2160, 0)}, "3840x2160", "3840x2160 true"},
		"named and not drawable": {[]drmMode{mode(1280, 720, drmPreferred), mode(320, 200, 0)}, "320x200", "1280x720 true"},
		"only large":             {[]drmMode{mode(3840, 2400, 0), mode(2560, 1600, drmPreferred), mode(2048, 1536, 0)}, "", "2560x1600 true"},
		"only large, no wish":    {[]drmMode{mode(3840, 2400, 0), mode(2560, 1600, 0)}, "", "2560x1600 true"},
		"interlaced":             {[]drmMode{interlaced(mode(1920, 1080, drmPreferred)), mode(1280, 720, 0)}, "", "1280x720 true"},
		"only interlaced":        {[]drmMode{interlaced(mode(1920, 1080, drmPreferred))}, "", "0x0 false"},
		"named interlaced":       {[]drmMode{mode(1280, 720, 0), interlaced(mode(1920, 1080, 0))}, "1920x1080", "1280x720 true"},
		"first of equals":        {[]drmMode{mode(800, 600, 0), mode(600, 800, 0)}, "", "800x600 true"},
	} {
		m, ok := chooseMode(c.modes, c.wanted)
		if got := fmt.Sprintf("%dx%d %v", m.width, m.height, ok); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// A panel that is larger than what is drawn shows each pixel as several, so that a panel with its own mode alone shows it.
func TestScaleOfAPanel(t *testing.T) {
	for size, want := range map[image.Point]int{
		{480, 320}: 1, {1024, 600}: 1, {1920, 1200}: 1, {1200, 1920}: 1, {1600, 1200}: 1, {2560, 1440}: 2, {2560, 1080}: 2, {3840, 2160}: 2,
		{5120, 2880}: 3, {7680, 4320}: 4, {320, 240}: 0, {1920, 200}: 0, {9600, 5400}: 0, {1300, 1300}: 2,
	} {
		if got := scaleOf(size.X, size.Y); got != want {
			t.Errorf("%v: %d pixels for one, want %d", size, got, want)
		}
	}
}

// A mode that was named and is not there is told of, with those that are.
func TestAModeThatIsNotThere(t *testing.T) {
	modes := []drmMode{{width: 1024, height: 600, refresh: 60}, {width: 800, height: 600, refresh: 75},
		{width: 1920, height: 1080, refresh: 60, flags: drmInterlaced}}
	for wanted, want := range map[string]string{
		"": "", "1024x600": "", "1024x600@60": "",
		"1024x600@50": "1024x600@50 → 1024x600; 1024x600@60 800x600@75", "1920x1080": "1920x1080 → 1024x600; 1024x600@60 800x600@75",
	} {
		got := ""
		if err := lacking(modes, modes[0], wanted); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", wanted, got, want)
		}
	}
}

// TestOneScreenDoesNotHideAnother plugs screens into three connectors.
func TestOneScreenDoesNotHideAnother(t *testing.T) {
	good := drmOutput{connector: 3, connected: true, modes: []drmMode{{width: 1024, height: 600}}, crtcs: 1}
	tiny := drmOutput{connector: 2, connected: true, modes: []drmMode{{width: 128, height: 64}}, crtcs: 1}
	none := drmOutput{connector: 1}
	unsure := drmOutput{connector: 4, unknown: true, modes: good.modes, crtcs: 1}
	empty := drmOutput{connector: 5, unknown: true, crtcs: 1}
	bare := drmOutput{connector: 6, connected: true, crtcs: 1}
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		plugged []drmOutput
		fails   uint32
		want    uint32
		err     error
	}{
		"an undrawable one first":          {[]drmOutput{none, tiny, good}, 0, 3, nil},
		"one that fails first":             {[]drmOutput{tiny, good}, 2, 3, nil},
		"only an undrawable one":           {[]drmOutput{none, tiny}, 0, 0, nil},
		"only one that fails":              {[]drmOutput{good}, 3, 0, broken},
		"none":                             {[]drmOutput{none}, 0, 0, ErrUnplugged},
		"nobody can tell":                  {[]drmOutput{none, unsure}, 0, 4, nil},
		"a sure one after it":              {[]drmOutput{unsure, good}, 0, 3, nil},
		"nobody can tell, nothing to show": {[]drmOutput{empty}, 0, 0, ErrUnplugged},
		"without modes first":              {[]drmOutput{bare, unsure}, 0, 4, nil},
		"only one without modes":           {[]drmOutput{bare}, 0, 0, nil},
	} {
		var ids []uint32
		for _, o := range c.plugged {
			ids = append(ids, o.connector)
		}
		all, err := chooseScreens(ids, func(id uint32) (drmOutput, error) {
			if id == c.fails {
				return drmOutput{}, broken
			}
			return c.plugged[slices.Index(ids, id)], nil
		}, []uint32{40}, "")
		chosen := screenChoice{}
		if len(all) > 0 {
			chosen = all[0]
		}
		if chosen.output.connector != c.want || (err == nil) != (c.want != 0) || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: connector %d, %v", name, chosen.output.connector, err)
		}
	}
}

func TestChooseCrtc(t *testing.T) {
	crtcs := []uint32{40, 50, 60}
	modes := []drmMode{{width: 1024, height: 600, refresh: 50}, {width: 1024, height: 600, refresh: 60}}
	if m, ok := chooseMode(modes, "1024x600@60"); !ok || m.refresh != 60 {
		t.Errorf("of two rates: %d, want the one that was named", m.refresh)
	}
	for name, c := range map[string]struct {
		output drmOutput
		want   uint32
		ok     bool
	}{
		"the one that drives it": {drmOutput{now: 60, crtcs: 0b111}, 60, true},
		"the first that can":     {drmOutput{crtcs: 0b110}, 50, true},
		"one of another card":    {drmOutput{now: 7, crtcs: 0b100}, 60, true},
		"none":                   {drmOutput{}, 0, false},
	} {
		if id, ok := chooseCrtc(c.output, crtcs); id != c.want || ok != c.ok {
			t.Errorf("%s: %d, %v, want %d", name, id, ok, c.want)
		}
	}
}

func TestChoosePanel(t *testing.T) {
	card, buffer := new(DRM), new(Framebuffer)
	no := func(err error) func() (Panel, error) { return func() (Panel, error) { return nil, err } }
	give := func(p Panel) func() (Panel, error) { return func() (Panel, error) { return p, nil } }
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		kind         Kind
		card, buffer func() (Panel, error)
		want         Panel
		err          error
	}{
		"the card first":          {Auto, give(card), give(buffer), card, nil},
		"no card":                 {Auto, no(ErrNoCard), give(buffer), buffer, nil},
		"a card without a screen": {Auto, no(ErrUnplugged), give(buffer), nil, ErrUnplugged},
		"neither":                 {Auto, no(ErrNoCard), no(broken), nil, broken},
		"only the card":           {ByCard, no(ErrNoCard), give(buffer), nil, ErrNoCard},
		"only the framebuffer":    {ByBuffer, give(card), give(buffer), buffer, nil},
	} {
		if p, err := choose(c.kind, c.card, c.buffer); p != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	if p, err := OpenPanel(PanelConfig{Kind: Auto, Framebuffer: filepath.Join(t.TempDir(), "fb0")}); p != nil || !errors.Is(err, ErrNoCard) ||
		!errors.Is(err, os.ErrNotExist) {
		t.Errorf("a machine without any screen: %v, %v", p, err)
	}
	if _, err := OpenDRM([]string{"/dev/null"}, "", 0); !errors.Is(err, ErrNoCard) || !strings.Contains(err.Error(), "/dev/null") {
		t.Errorf("a file that is no card: %v", err)
	}
}

func TestBacklight(t *testing.T) {
	dir := t.TempDir()
	if b, err := FindBacklight(dir); b != nil || err != nil {
		t.Fatalf("without a backlight: %v, %v", b, err)
	}
	folder := filepath.Join(dir, "10-0045")
	if err := os.Mkdir(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"max_brightness": "31\n", "brightness": "31\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := FindBacklight(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		percent int
		want    string
	}{{100, "31"}, {25, "8"}, {1, "1"}, {0, "0"}} {
		if err := b.Set(c.percent); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(folder, "brightness")); err != nil || string(got) != c.want {
			t.Errorf("%d percent: %q, %v, want %q", c.percent, got, err, c.want)
		}
	}
	if err := b.Set(101); err == nil {
		t.Error("101 percent were accepted")
	}
}
