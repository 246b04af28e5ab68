package sound

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"haochaping/internal/cli"
)

const (
	// maxLength is the longest prompt: the citizen has 60 s to answer and shall not have to hear it all.
	maxLength = 20 * time.Second
	// maxFile bounds what is read of a file: 20 s of stereo at 48 kHz, and room for its notes.
	maxFile = 4 << 20
)

// Clip is a sound: 16-bit samples, interleaved if there are two channels. It is not changed once made.
type Clip struct {
	Rate     int // samples a second of each channel, 8000 to 48000
	Channels int // 1 or 2
	Samples  []int16
}

// Length returns how long the clip lasts.
func (c Clip) Length() time.Duration {
	if c.Rate == 0 || c.Channels == 0 {
		return 0
	}
	return time.Duration(len(c.Samples)/c.Channels) * time.Second / time.Duration(c.Rate)
}

// Gain returns the clip at a loudness of 0 to 100 percent. Loudness is heard by ratios: half of the percents is a quarter
// of the amplitude, about 12 dB less.
func (c Clip) Gain(percent int) Clip {
	f := float64(min(max(percent, 0), 100)) / 100
	factor := int(f * f * 65536)
	out := make([]int16, len(c.Samples))
	for i, s := range c.Samples {
		out[i] = int16(int(s) * factor / 65536)
	}
	c.Samples = out
	return c
}

// Then returns the clip and another after it, which must have the same rate and channels.
func (c Clip) Then(next Clip) (Clip, error) {
	switch {
	case len(c.Samples) == 0:
		return next, nil
	case len(next.Samples) == 0:
		return c, nil
	case c.Rate != next.Rate || c.Channels != next.Channels:
		return Clip{}, fmt.Errorf("clips of %d and %d samples a second on %d and %d channels cannot be joined", c.Rate, next.Rate, c.Channels,
			next.Channels)
	}
	c.Samples = slices.Concat(c.Samples, next.Samples)
	return c, nil
}

// WAV returns the clip as a WAV file.
func (c Clip) WAV() []byte {
	size := 2 * len(c.Samples)
	b := make([]byte, 0, 44+size)
	b = append(b, "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(36+size))
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1) // PCM
	b = binary.LittleEndian.AppendUint16(b, uint16(c.Channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(c.Rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(2*c.Rate*c.Channels))
	b = binary.LittleEndian.AppendUint16(b, uint16(2*c.Channels))
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	for _, s := range c.Samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

// Load reads a WAV file. Its error says what is wrong with the file and how to make it right.
func Load(path string) (_ Clip, err error) {
	// Opening a pipe would wait for whoever writes into it.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return Clip{}, cli.Errorf("%s 不是文件；请写一个 WAV 文件", "%s is no file; name a WAV file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Clip{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Clip{}, err
	}
	c, err := Parse(b)
	if err != nil {
		return Clip{}, cli.Errorf("%[1]s：%[2]v；请用 ffmpeg -i … -ar 48000 -ac 1 -c:a pcm_s16le %[1]s 转换",
			"%[1]s: %[2]v; make it with: ffmpeg -i … -ar 48000 -ac 1 -c:a pcm_s16le %[1]s", path, err)
	}
	return c, nil
}

// Parse reads a WAV file of 16-bit PCM with one or two channels and 8000 to 48000 samples a second, at most 20 s long. It
// passes over chunks that it does not know.
func Parse(b []byte) (Clip, error) {
	if len(b) > maxFile {
		return Clip{}, cli.Errorf("超过 %d MB", "longer than %d MB", maxFile>>20)
	}
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return Clip{}, cli.Error("不是 WAV 文件", "no WAV file")
	}
	var c Clip
	for b = b[12:]; len(b) >= 8; {
		name, size := string(b[:4]), int64(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
		size = min(size, int64(len(b))) // a recorder that was cut off has not written the size
		body := b[:size]
		b = b[min(size+size%2, int64(len(b))):]
		switch name {
		case "fmt ":
			if len(body) < 16 {
				return Clip{}, cli.Error("WAV 文件的格式不完整", "the WAV file's format is cut off")
			}
			format, bits := binary.LittleEndian.Uint16(body), binary.LittleEndian.Uint16(body[14:])
			if format != 1 && format != 0xfffe || bits != 16 { // 0xfffe: extensible, of which PCM is the usual one
				return Clip{}, cli.Errorf("格式 %d，%d 位，要 16 位 PCM", "format %d with %d bits, want PCM with 16", format, bits)
			}
			c.Channels, c.Rate = int(binary.LittleEndian.Uint16(body[2:])), int(binary.LittleEndian.Uint32(body[4:]))
			if c.Channels < 1 || c.Channels > 2 || c.Rate < 8000 || c.Rate > 48000 {
				return Clip{}, cli.Errorf("%d 个声道，采样率 %d，要 1 或 2 个、8000 至 48000",
					"%d channels with %d samples a second, want 1 or 2 with 8000 to 48000", c.Channels, c.Rate)
			}
		case "data":
			if c.Rate == 0 {
				return Clip{}, cli.Error("WAV 文件的样本在格式之前", "the WAV file has samples before their format")
			}
			body = body[:len(body)-len(body)%(2*c.Channels)]
			c.Samples = make([]int16, len(body)/2)
			if _, err := binary.Decode(body, binary.LittleEndian, c.Samples); err != nil {
				return Clip{}, err
			}
			if len(c.Samples) == 0 {
				return Clip{}, cli.Error("WAV 文件没有样本", "the WAV file has no samples")
			}
			if l := c.Length(); l > maxLength {
				return Clip{}, cli.Errorf("长 %v，至多 %v", "%v long, want at most %v", l.Round(time.Second), maxLength)
			}
			return c, nil
		}
	}
	return Clip{}, cli.Error("WAV 文件没有样本", "the WAV file has no samples")
}

// Tones are the pitches of the five keys from left to right in hertz: C, D, E, G and A of the fifth octave, a pentatonic
// scale in which no two tones jar, and none sounds like a reproof.
func Tones() [5]float64 { return [5]float64{523.25, 587.33, 659.26, 783.99, 880} }

// toneLength is how long a tone sounds.
const toneLength = 180 * time.Millisecond

// Tone returns a tone of 180 ms with a soft beginning and end and a little of its octave. The same arguments give the same
// samples.
func Tone(hertz float64, rate, channels int) Clip {
	n := int(toneLength * time.Duration(rate) / time.Second)
	attack := rate / 100
	c := Clip{Rate: rate, Channels: channels}
	for i := range n {
		x := 2 * math.Pi * hertz * float64(i) / float64(rate)
		loud := min(1, float64(i)/float64(attack)) * 0.5 * (1 + math.Cos(math.Pi*float64(i)/float64(n)))
		s := int16(math.Round(20000 * loud * (0.85*math.Sin(x) + 0.15*math.Sin(2*x))))
		for range channels {
			c.Samples = append(c.Samples, s)
		}
	}
	return c
}

// Level is a loudness that holds from a minute of the day on.
type Level struct {
	From    int // minutes since midnight
	Percent int
}

// Percent returns how loud it is at a minute of the day: that of the last level that has begun since midnight, otherwise
// before the first.
func Percent(levels []Level, minute, otherwise int) int {
	for _, l := range levels {
		if l.From <= minute {
			otherwise = l.Percent
		}
	}
	return otherwise
}
