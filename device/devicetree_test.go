package device

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// tree writes a device tree: properties by path, numbers as cells.
func tree(t *testing.T, properties map[string]any) string {
	t.Helper()
	root := t.TempDir()
	for path, v := range properties {
		var b []byte
		switch v := v.(type) {
		case string:
			b = append([]byte(v), 0)
		case []uint32:
			for _, n := range v {
				b = binary.BigEndian.AppendUint32(b, n)
			}
		}
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestPinsOfDevices are those of devices that are enabled, on this chip and no other.
func TestPinsOfDevices(t *testing.T) {
	root := tree(t, map[string]any{
		"soc/gpio@1/phandle": []uint32{1}, "soc/gpio@1/pinctrl-0": []uint32{15}, "soc/gpio@1/hog/phandle": []uint32{15},
		"soc/gpio@1/hog/brcm,pins":   []uint32{6},
		"soc/gpio@1/uart/phandle":    []uint32{10},
		"soc/gpio@1/uart/brcm,pins":  []uint32{14, 15},
		"soc/gpio@1/i2c/phandle":     []uint32{11},
		"soc/gpio@1/i2c/pins/pins":   "gpio2\x00gpio3",
		"soc/gpio@1/spi/phandle":     []uint32{12},
		"soc/gpio@1/spi/brcm,pins":   []uint32{7, 8},
		"soc/gpio@2/other/phandle":   []uint32{13},
		"soc/gpio@2/other/brcm,pins": []uint32{21},
		"soc/serial@1/pinctrl-0":     []uint32{10}, "soc/serial@1/status": "okay",
		"soc/i2c@1/pinctrl-0": []uint32{11},
		"soc/spi@1/pinctrl-0": []uint32{12}, "soc/spi@1/status": "disabled",
		"soc/x@1/pinctrl-0": []uint32{13},
	})
	chip := t.TempDir()
	if err := os.Symlink(filepath.Join(root, "soc/gpio@1"), filepath.Join(chip, "of_node")); err != nil {
		t.Fatal(err)
	}
	p := pinsOf(root, chip)
	for n, x := range map[int]struct {
		name string
		want bool
	}{14: {"GPIO14", true}, 15: {"", true}, 2: {"GPIO2", true}, 3: {"GPIO3", true}, 7: {"GPIO7", false},
		21: {"GPIO21", false}, 6: {"GPIO6", false}, 5: {"", false}} {
		if got := p.claimed(n, x.name); got != x.want {
			t.Errorf("line %d, %q: claimed %t, want %t", n, x.name, got, x.want)
		}
	}
	if pinsOf(root, t.TempDir()).claimed(14, "GPIO14") || pinsOf("/there/is/none", chip).claimed(14, "GPIO14") {
		t.Error("a machine without a device tree has devices")
	}
}

func TestNamesOfWhatServesElse(t *testing.T) {
	for name, want := range map[string]bool{"GPIO5": false, "RATE5": false, "PA4": false, "": false, "gpio17": false, "P1_11": false,
		"ID_SDA":    true,
		"SPI_CE0_N": true, "TXD1": true, "PWR_LED_OFF": true, "SD_CLK_R": true, "GLOBAL_RESET": true, "LAMP": true, "BT_ON": true,
		"RGMII_RXD0": true, "HDMI0_HPD": true, "i2c-sda": true} {
		if got := servesElse(name); got != want {
			t.Errorf("%q: %t, want %t", name, got, want)
		}
	}
}
