// Package sound plays tones and spoken prompts through ALSA's program aplay, if the box has a sound card.
//
// A Player plays the newest Clip: Play never blocks, a newer clip ends an older one, and aplay is killed when it has taken
// two seconds longer than the clip lasts, so that a card that hangs holds up nobody. Its loudness is applied to the samples,
// since mixers differ from card to card. A box without a card is silent and says so once; a card that is plugged in later is
// found at the next clip.
//
// Tones are computed and not shipped. Spoken prompts are files of the hall: Debian's synthesiser speaks Mandarin that
// citizens cannot be asked to follow, and recordings belong to somebody. The package does not decide when a sound is due.
package sound
