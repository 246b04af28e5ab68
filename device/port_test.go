package device

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"haochaping/device/keypad"
)

var eightBits = keypad.Line{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1}

// ttyOf returns a pseudo-terminal's master and the path of its other end.
func ttyOf(t *testing.T) (master *os.File, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "keypad")
	return openTTY(t, path), path
}

// TestAPortIsExclusive opens a port twice, and once more when it is free again.
func TestAPortIsExclusive(t *testing.T) {
	_, path := ttyOf(t)
	for range 2 {
		p, err := OpenPort(path, eightBits, now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenPort(path, eightBits, now()); !errors.Is(err, ErrPortTaken) {
			t.Errorf("opened a second time: %v, want %v", err, ErrPortTaken)
		}
		if os.Getuid() != 0 { // whom nothing holds off
			if f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0); !errors.Is(err, unix.EBUSY) {
				_ = f.Close()
				t.Errorf("another program opens the port: %v", err)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatalf("after it was closed: %v", err)
		}
		_ = f.Close()
	}
}

// TestWhoHasThePortIsSaid lets another process lock the port.
func TestWhoHasThePortIsSaid(t *testing.T) {
	if path := os.Getenv("HOLD_PORT"); path != "" {
		if _, err := OpenPort(path, eightBits, now()); err != nil {
			t.Fatal(err)
		}
		_, _ = os.Stdout.WriteString("open\n")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the other end is gone
		return
	}
	_, path := ttyOf(t)
	c := exec.Command(os.Args[0], "-test.run", "^TestWhoHasThePortIsSaid$")
	c.Env = append(os.Environ(), "HOLD_PORT="+path)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = c.Wait() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	_, err = OpenPort(path, eightBits, now())
	if !errors.Is(err, ErrPortTaken) || !strings.Contains(err.Error(), "(process "+strconv.Itoa(c.Process.Pid)+")") {
		t.Errorf("error %v, want one that names process %d", err, c.Process.Pid)
	}
}

// TestWhatIsNoByteIsNotRead looks at how the port is set: what of a BREAK, of wrong parity and of framing errors the kernel drops.
func TestWhatIsNoByteIsNotRead(t *testing.T) {
	master, path := ttyOf(t)
	for _, parity := range []string{"none", "even", "odd"} {
		l := eightBits
		l.Parity = parity
		p, err := OpenPort(path, l, now())
		if err != nil {
			t.Fatal(err)
		}
		set, err := unix.IoctlGetTermios(int(master.Fd()), unix.TCGETS) // of the other end
		if err != nil {
			t.Fatal(err)
		}
		if want := uint32(unix.IGNBRK | unix.IGNPAR | unix.INPCK); set.Iflag != want {
			t.Errorf("parity %s: the input's flags are %#x, want %#x", parity, set.Iflag, want)
		}
		if set.Lflag != 0 || set.Oflag != 0 {
			t.Errorf("parity %s: the line echoes or changes what is sent: %#x, %#x", parity, set.Lflag, set.Oflag)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestABreakIsNoKey sends the byte that a BREAK reads as on a port that cannot tell.
func TestABreakIsNoKey(t *testing.T) {
	_, master, events := keypadOn(t, shipped(t, "byte"))
	for _, c := range []struct{ sent, want string }{{"\x00\x00", "0x00 (BREAK?)"}, {"1", "0x31"}} {
		if _, err := master.WriteString(c.sent); err != nil {
			t.Fatal(err)
		}
		wantEvent(t, events, Down, Code(c.want))
	}
}

// TestAnotherProgramIsFound lists who has a device open.
func TestAnotherProgramIsFound(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = master.Close(); _ = tty.Close() }()
	if who := holders(tty.Name()); len(who) != 0 {
		t.Errorf("this program is listed: %v", who)
	}
	c := exec.Command("sleep", "60")
	c.Stdin = tty
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	want := "sleep (process " + strconv.Itoa(c.Process.Pid) + ")"
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // until it is sleep
		who := holders(tty.Name())
		if len(who) == 1 && who[0] == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%v, want %s", who, want)
		}
	}
}
