package device

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"
)

// TestOpenChip opens a file that is no chip, which the kernel refuses.
func TestOpenChip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gpiochip0")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := openChip(path, 0); err == nil || c != nil || !strings.Contains(err.Error(), "inappropriate ioctl") {
		t.Errorf("opened %v, error %v", c, err)
	}
}

// TestUAPISizes compares the structures with the sizes that the kernel's numbers of its calls contain.
func TestUAPISizes(t *testing.T) {
	for name, c := range map[string]struct {
		request uint32
		size    uintptr
	}{
		"chip info":    {uapiChipInfo, unsafe.Sizeof(uapiChip{})},
		"line info":    {uapiLineInfo, unsafe.Sizeof(uapiLine{})},
		"line request": {uapiLineRequest, unsafe.Sizeof(uapiRequest{})},
		"get values":   {uapiGetValues, unsafe.Sizeof(uapiValues{})},
		"set values":   {uapiSetValues, unsafe.Sizeof(uapiValues{})},
	} {
		if want := uintptr(c.request >> 16 & 0x3fff); c.size != want {
			t.Errorf("%s: %d bytes, the kernel wants %d", name, c.size, want)
		}
	}
}

func TestNoChips(t *testing.T) {
	c := &Chips{glob: filepath.Join(t.TempDir(), "gpiochip*")}
	if _, _, err := c.Open([]string{"GPIO5"}); err == nil || !strings.Contains(err.Error(), "no GPIO chip") {
		t.Errorf("error %v", err)
	}
	if _, err := c.OpenOutputs([]string{"GPIO5"}, true); err == nil {
		t.Error("outputs without a chip")
	}
}

// TestLackingLines names lines that a chip has, and others: only the others are lacking, and nothing is on a machine without a chip.
func TestLackingLines(t *testing.T) {
	none := &Chips{glob: filepath.Join(t.TempDir(), "gpiochip*")}
	if err := none.Lacking([]string{"GPIO5", "no-chip:7"}); err != nil {
		t.Errorf("without a chip: %v", err)
	}
	c := &Chips{known: []*chip{{name: "gpiochip0", label: "soc", lines: []string{"GPIO5", "", "GPIO17"}}}}
	for ref, want := range map[string]string{"GPIO5": "", "soc:2": "", "gpiochip0:1": "", "GPIO71": "did you mean",
		"soc:3": "has 0 to 2", "exp:0": "there is no chip exp"} {
		if _, _, err := c.lookUp(ref); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", ref, err, want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"GPIO5", "GPIO6", "GPIO17", "ID_SDA"}
	for ref, want := range map[string]string{"gpio17": "GPIO17", "GPOI17": "GPIO17", "GPIO_5": "GPIO5", "relay": "", "": "",
		"GPIO7": "GPIO5 or GPIO6 or GPIO17"} {
		if got := nearest(ref, names); got != want {
			t.Errorf("near %q is %q, want %q", ref, got, want)
		}
	}
}
