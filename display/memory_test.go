package display

import (
	"fmt"
	"image"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// memoryEnv is the size of the panel for which a child of the benchmark shows screens.
const memoryEnv = "DISPLAY_TEST_MEMORY"

// BenchmarkMemory reports what a process has resident at most that shows visit after visit on a panel. The panel's own memory is
// the kernel's, and is counted.
func BenchmarkMemory(b *testing.B) {
	for _, size := range []image.Point{{1024, 600}, {1920, 1080}, {1920, 1200}} {
		b.Run(fmt.Sprintf("%dx%d", size.X, size.Y), func(b *testing.B) {
			for b.Loop() {
				c := exec.Command(os.Args[0], "-test.run=^TestMemoryOfAPanel$", "-test.v")
				c.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d", memoryEnv, size.X, size.Y))
				out, err := c.CombinedOutput()
				if err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				_, rest, _ := strings.Cut(string(out), "VmHWM:")
				kb, err := strconv.Atoi(strings.Fields(rest)[0])
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(kb)/1024, "MB-peak")
			}
		})
	}
}

// TestMemoryOfAPanel is the child of BenchmarkMemory.
func TestMemoryOfAPanel(t *testing.T) {
	var size image.Point
	if _, err := fmt.Sscan(os.Getenv(memoryEnv), &size.X, &size.Y); err != nil {
		t.Skip("it is run by BenchmarkMemory")
	}
	format := xrgb8888(size.X, size.Y, 4*size.X)
	memory, err := unix.Mmap(-1, 0, format.memory(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	fonts, err := LoadFonts(nil)
	if err != nil {
		t.Fatal(err)
	}
	board := NewBoard(NewRenderer(fonts), size, &Framebuffer{surface: surface{memory: memory, format: format}})
	all := screens(t)
	show := func(s Screen) {
		if err := board.Show(s); err != nil {
			t.Fatal(err)
		}
	}
	for visit := range 10 {
		for _, name := range []string{"idle", "asking-long", "asking-photo", "asking", "reasons"} {
			s := all[name]
			s.Matter += fmt.Sprint(visit)
			show(s)
			if s.State != Asking {
				continue
			}
			thanks := s
			thanks.State, thanks.Chosen = Thanks, 5
			board.Prepare(thanks)
			runtime.GC()
			thanks.Chosen = 2
			show(thanks)
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("heap in use %d MB, alive %d kB, system %d MB\n%s", m.HeapInuse>>20, m.HeapAlloc>>10, m.Sys>>20, status)
}
