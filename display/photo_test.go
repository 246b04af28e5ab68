package display

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"
)

func TestPhotoThatSaysItIsHugeIsNotDecoded(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 16)), nil); err != nil {
		t.Fatal(err)
	}
	huge := b.Bytes()
	at := bytes.Index(huge, []byte{0xff, 0xc0}) // the header of the frame: length, precision, height, width
	copy(huge[at+5:], []byte{0xff, 0xff, 0xff, 0xff})
	if allocated := testing.AllocsPerRun(1, func() {
		if _, err := DecodePhoto(huge); err == nil {
			t.Error("a photo of 65535 x 65535 pixels is taken")
		}
	}); allocated > 100 {
		t.Errorf("%v allocations", allocated)
	}
}

func FuzzDecodePhoto(f *testing.F) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 16)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("\xff\xd8\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodePhoto(data)
		if err == nil && (m.Bounds().Dx() > MaxPhotoSide || m.Bounds().Dy() > MaxPhotoSide) {
			t.Errorf("%v", m.Bounds())
		}
	})
}
