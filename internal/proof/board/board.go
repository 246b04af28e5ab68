package board

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Lines are the names of the GPIO lines, by offset. The kernel itself holds the fourth, for a power button.
var lines = [8]string{"RATE5", "RATE4", "RATE3", "POWER", "RATE2", "RATE1", "LAMP", "BUZZER"}

// Options say what a Board is like.
type Options struct {
	Parts Parts
	Disk  string // image of the disk, with a file system
	Log   string // file for what the kernel says; QEMU's own words go beside it

	Width, Height int // of the screen in pixels; 1024x600 if 0

	// CountInstructions makes the machine's clock the count of its instructions: one takes two nanoseconds, whatever it is.
	CountInstructions bool
}

// Board is a running machine. It is safe for concurrent use.
type Board struct {
	dir     string // of the sockets
	log     string
	qemu    *exec.Cmd
	ended   chan struct{}
	qtest   *qtest
	qmp     *qmp
	shell   *shell
	serial  *socket
	reader  *socket
	arm     bool
	gpio    string // the controller's path in QEMU
	closing sync.Once
}

// bootTime is how long a machine may take to boot under software emulation on a busy computer.
const bootTime = 3 * time.Minute

// Start boots a machine and waits until its shell answers. Stop is to be called in any case. It needs qemu-system-aarch64
// and dtc.
func Start(ctx context.Context, o Options) (*Board, error) {
	b, err := start(ctx, o, func(b *Board) ([]string, error) {
		if err := b.prepare(ctx, o); err != nil {
			return nil, err
		}
		args := append([]string{"qemu-system-aarch64", "-M", "virt", "-dtb", b.at("board.dtb")}, o.Parts.processor()...)
		args = append(args, o.emulation()...)
		args = append(args, "-append", "console=ttyAMA0 loglevel=5 panic=-1 vt.global_cursor_default=0",
			"-qtest", "unix:"+b.at("qtest")+",server=on,wait=off", "-qtest-log", "/dev/null", "-device", "qemu-xhci", "-device", "usb-kbd")
		return append(args, b.ends(o)...), nil
	})
	if err != nil {
		return b, err
	}
	for line := range lines { // keys pull their line low; nobody presses one
		if lines[line] != "POWER" {
			if err := b.set(line, true); err != nil {
				return b, errors.Join(err, b.Stop())
			}
		}
	}
	return b, nil
}

// emulation are QEMU's arguments for the machine's processor.
func (o Options) emulation() []string {
	if o.CountInstructions {
		return []string{"-accel", "tcg,thread=single", "-icount", "shift=1,sleep=on"}
	}
	return []string{"-accel", "tcg,thread=multi"}
}

// start runs QEMU with the arguments that prepare returns, and takes hold of the machine.
func start(ctx context.Context, o Options, prepare func(*Board) ([]string, error)) (b *Board, err error) {
	b = &Board{log: o.Log, ended: make(chan struct{}), arm: o.Parts.arm()}
	if b.dir, err = os.MkdirTemp("", "board"); err != nil { // the paths of sockets must be short
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start the board: %w", err), b.Stop())
		}
	}()
	args, err := prepare(b)
	if err != nil {
		return b, err
	}
	if err := b.run(args); err != nil {
		return b, err
	}
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	if err := b.connect(ctx); err != nil {
		return b, fmt.Errorf("%w; the console ends with\n%s", err, b.Console(30))
	}
	return b, nil
}

// modules are what a machine's kernel needs beyond what is built in.
var modules = []string{"virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio_gpu", "ext4", "virtio_rng"}

const initScript = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/data/bin HOME=/
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts; mount -t devpts pts /dev/pts; mount -t tmpfs tmp /tmp; mount -t tmpfs run /run
while read m; do insmod /lib/modules/$m || echo "insmod $m failed"; done < /lib/modules/order
mount -t ext4 /dev/vda /data || echo "the disk cannot be mounted"
ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
exec 3<> /dev/hvc0 # held open, for a terminal forgets its settings when nobody has it
stty raw -echo <&3
echo ready >&3
dd bs=4096 <&3 2>/dev/null | sh >&3 2>&1 # through a pipe, for a terminal would get a prompt and an echo
`

// prepare makes the first file system and the device tree.
func (b *Board) prepare(ctx context.Context, o Options) error {
	ram, err := initramfs(ctx, o.Parts,
		append([]string{"gpio_keys", "virtio_input", "evdev", "usbhid", "xhci_pci", "hid_generic", "uhid", "ftdi_sio"}, modules...), initScript)
	if err != nil {
		return fmt.Errorf("make the first file system: %w", err)
	}
	if err := os.WriteFile(b.at("initramfs"), ram, 0o600); err != nil {
		return err
	}
	// QEMU describes its machine; only the names of the GPIO lines are missing.
	if _, err := tool(ctx, "", nil, "qemu-system-aarch64",
		append([]string{"-M", "virt,dumpdtb=" + b.at("virt.dtb")}, o.Parts.processor()...)...); err != nil {
		return err
	}
	text, err := tool(ctx, "", nil, "dtc", "-q", "-I", "dtb", "-O", "dts", b.at("virt.dtb"))
	if err != nil {
		return err
	}
	head, tail, ok := strings.Cut(text, "pl061@")
	if !ok {
		return errors.New("QEMU's machine has no PL061")
	}
	named := fmt.Sprintf(`gpio-controller; gpio-line-names = "%s";`, strings.Join(lines[:], `", "`))
	text = head + "pl061@" + strings.Replace(tail, "gpio-controller;", named, 1)
	if err := os.WriteFile(b.at("board.dts"), []byte(text), 0o600); err != nil {
		return err
	}
	_, err = tool(ctx, "", nil, "dtc", "-q", "-I", "dts", "-O", "dtb", "-o", b.at("board.dtb"), b.at("board.dts"))
	return err
}

func (b *Board) at(name string) string { return filepath.Join(b.dir, name) }

// ends are QEMU's arguments for what every machine has.
func (b *Board) ends(o Options) []string {
	if o.Width == 0 {
		o.Width, o.Height = 1024, 600
	}
	listen := func(name string) string { return "socket,id=" + name + ",path=" + b.at(name) + ",server=on,wait=off" }
	args := []string{"-display", "none", "-no-reboot", "-monitor", "none", "-kernel", o.Parts.Kernel, "-initrd", b.at("initramfs"),
		"-qmp", "unix:" + b.at("qmp") + ",server=on,wait=off",
		"-drive", "file=" + o.Disk + ",format=raw,if=none,id=disk,cache=writeback", "-device", "virtio-blk-pci,drive=disk",
		"-device", fmt.Sprintf("virtio-gpu-pci,xres=%d,yres=%d", o.Width, o.Height),
		"-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=",
		"-device", "virtio-rng-pci",
		"-device", "virtio-serial-pci", "-chardev", listen("shell"), "-device", "virtconsole,chardev=shell",
		"-chardev", listen("serial"), "-chardev", listen("reader")}
	if o.Parts.arm() {
		return append(args, "-serial", "file:"+b.log, "-device", "pci-serial,chardev=serial")
	}
	return append(args, "-serial", "chardev:serial", "-chardev", "file,id=console,path="+b.log, "-device", "virtconsole,chardev=console")
}

// run starts QEMU.
func (b *Board) run(args []string) error {
	b.qemu = exec.Command(args[0], args[1:]...)
	words, err := os.Create(b.log + ".qemu")
	if err != nil {
		return err
	}
	defer func() { _ = words.Close() }() // QEMU has its own
	b.qemu.Stdout, b.qemu.Stderr = words, words
	b.qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.qemu.Start(); err != nil {
		b.qemu = nil
		return err
	}
	go func() {
		_ = b.qemu.Wait() // how it ended shows in what it said
		close(b.ended)
	}()
	return nil
}

// connect takes hold of all ends of the machine.
func (b *Board) connect(ctx context.Context) (err error) {
	if b.qmp, err = dialQMP(ctx, b.at("qmp"), b.ended); err != nil {
		return err
	}
	if b.arm {
		if b.qtest, err = dialQtest(ctx, b.at("qtest"), b.ended); err != nil {
			return err
		}
		if b.gpio, err = b.qmp.find(ctx, "/machine/unattached", "child<pl061>"); err != nil {
			return err
		}
		if err := b.qtest.watch(b.gpio); err != nil {
			return err
		}
	}
	if b.serial, err = dial(ctx, b.at("serial"), b.ended); err != nil {
		return err
	}
	if b.reader, err = dial(ctx, b.at("reader"), b.ended); err != nil {
		return err
	}
	if b.shell, err = dialShell(ctx, b.at("shell"), b.ended); err != nil {
		return err
	}
	return nil
}

// offset returns the number of a GPIO line.
func offset(name string) int {
	for i, l := range lines {
		if l == name {
			return i
		}
	}
	panic("there is no GPIO line " + name) // a slip of the test's author
}

func (b *Board) set(line int, high bool) error {
	level := 0
	if high {
		level = 1
	}
	return b.qtest.command(fmt.Sprintf("set_irq_in %s unnamed-gpio-in %d %d", b.gpio, line, level))
}

// Press pulls an input line low, as a finger on its key does, and Release lets it go.
func (b *Board) Press(name string) error { return b.set(offset(name), false) }

// Release lets a key go.
func (b *Board) Release(name string) error { return b.set(offset(name), true) }

// Output returns all levels that an output line has shown since the machine started, oldest first.
func (b *Board) Output(name string) []bool { return b.qtest.seen(offset(name)) }

// Sh runs a line of shell script in the machine and returns what it prints. A status other than 0 is an error.
func (b *Board) Sh(ctx context.Context, script string) (string, error) {
	return b.shell.run(ctx, script)
}

// Serial is the other end of /dev/ttyS0.
func (b *Board) Serial() *Line { return &Line{b.serial} }

// PlugReader plugs a USB adapter in, which is then /dev/ttyUSB0, and Reader is its other end. UnplugReader pulls it out.
func (b *Board) PlugReader(ctx context.Context) error {
	return b.qmp.command(ctx, "device_add", map[string]any{"driver": "usb-serial", "id": "reader", "chardev": "reader"}, nil)
}

// UnplugReader pulls out what PlugReader plugged in.
func (b *Board) UnplugReader(ctx context.Context) error {
	return b.qmp.command(ctx, "device_del", map[string]any{"id": "reader"}, nil)
}

// Reader is the other end of the USB adapter.
func (b *Board) Reader() *Line { return &Line{b.reader} }

// Type presses and releases a key of the USB keyboard, by QEMU's name for it ("kp_1").
func (b *Board) Type(ctx context.Context, key string) error {
	return b.qmp.command(ctx, "send-key", map[string]any{"keys": []any{map[string]any{"type": "qcode", "data": key}}}, nil)
}

// Photograph keeps a picture of the screen as a PNG file.
func (b *Board) Photograph(ctx context.Context, path string) error {
	return b.qmp.command(ctx, "screendump", map[string]any{"filename": path, "format": "png"}, nil)
}

// Console returns the last lines of what the kernel has said.
func (b *Board) Console(n int) string {
	text, err := os.ReadFile(b.log)
	if err != nil {
		return err.Error()
	}
	if said, err := os.ReadFile(b.log + ".qemu"); err == nil && len(said) > 0 {
		text = append(append(text, "\nQEMU itself says:\n"...), said...)
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// PowerOff pulls the plug.
func (b *Board) PowerOff() {
	_ = b.qemu.Process.Kill() // an error says that it has ended
	<-b.ended
}

// Stop ends the machine, however, and removes what it needed. It may be called more than once.
func (b *Board) Stop() (err error) {
	b.closing.Do(func() {
		if b.qemu != nil {
			b.PowerOff()
		}
		for _, s := range []*socket{b.qtest.connection(), b.qmp.connection(), b.shell.connection(), b.serial, b.reader} {
			if s != nil {
				_ = s.Close() // its other end is gone
			}
		}
		err = os.RemoveAll(b.dir)
	})
	return err
}
