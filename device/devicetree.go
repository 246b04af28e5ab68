package device

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	deviceTree  = "/sys/firmware/devicetree/base"
	gpioDevices = "/sys/bus/gpio/devices/"
)

// pins are those of one chip that devices of the device tree have. Many chips give them away to whoever asks.
type pins struct {
	numbers map[int]bool
	names   map[string]bool
}

// claimed reports whether a device has a line.
func (p pins) claimed(n int, name string) bool { return p.numbers[n] || p.names[strings.ToLower(name)] }

// pinsOf returns the pins of a chip that devices of a device tree have, as far as the tree says so in words that are known: those of the
// Raspberry Pis ("brcm,pins") and the general ones ("pins"). Other controllers refuse such a line by themselves. A machine without a device
// tree has none.
func pinsOf(root, chip string) pins {
	p := pins{make(map[int]bool), make(map[string]bool)}
	node, err := filepath.EvalSymlinks(filepath.Join(chip, "of_node"))
	if err != nil {
		return p
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return p
	}
	groups, users := make(map[uint32]string), make(map[uint32]bool)
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error { // what cannot be read claims nothing
		if err != nil || !d.IsDir() {
			return nil
		}
		if inside(path, node) {
			for _, handle := range cells(path, "phandle") {
				groups[handle] = path
			}
		}
		if path != node && enabled(root, path) {
			for _, handle := range cells(path, "pinctrl-0") {
				users[handle] = true
			}
		}
		return nil
	})
	for handle := range users {
		if path, ok := groups[handle]; ok {
			p.add(path)
		}
	}
	return p
}

// add takes the pins of a group and of those below it.
func (p pins) add(group string) {
	_ = filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		for _, n := range cells(path, "brcm,pins") {
			p.numbers[int(n)] = true
		}
		b, _ := os.ReadFile(filepath.Join(path, "pins")) // most have none
		for name := range strings.SplitSeq(strings.ToLower(string(b)), "\x00") {
			p.names[name] = name != ""
		}
		return nil
	})
}

// enabled reports whether a node and all above it are.
func enabled(root, node string) bool {
	for ; inside(node, root); node = filepath.Dir(node) {
		b, err := os.ReadFile(filepath.Join(node, "status"))
		if status := strings.TrimRight(string(b), "\x00"); err == nil && status != "okay" && status != "ok" {
			return false
		}
	}
	return true
}

func inside(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// cells reads a property of numbers.
func cells(node, property string) (all []uint32) {
	b, err := os.ReadFile(filepath.Join(node, property))
	for ; err == nil && len(b) >= 4; b = b[4:] {
		all = append(all, binary.BigEndian.Uint32(b))
	}
	return all
}
