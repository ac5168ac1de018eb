#!/bin/sh
# Makes fixtures/ anew: one title in every form that HLS and DASH have for it. Needs ffmpeg 5.1 and node, nothing else.
# The pictures are a test source with rendition, time and frame number burnt in, so that what is seen says what it is.
set -eu
cd "$(dirname "$0")/.."

title=fixtures/bars
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$title"
mkdir -p "$title"

# Only the fonts that Debian installs with ffmpeg are needed.
ff() {
  ffmpeg -nostdin -v error -y "$@"
}

# 48000 Hz and 1024 samples a frame: 1125 frames are exactly 24 s, so the title loops without a gap or an overlap.
# By way of ADTS: no edit list and no priming offset, the first sample stands at 0.
ff -f lavfi -i 'sine=frequency=440:beep_factor=4:sample_rate=48000' -frames:a 1125 \
  -c:a aac -b:a 32k -ac 1 -fflags +bitexact -flags:a +bitexact -f adts "$work/audio.aac"
ff -i "$work/audio.aac" -c copy -bsf:a aac_adtstoasc -fflags +bitexact "$work/audio.mp4"

# No B frames: decoding order is presentation order, every segment begins at its first picture, no edit lists.
# One thread: the same bytes each time.
rendition() { # name size profile level bitrate
  ff -f lavfi -i "testsrc2=size=$2:rate=25,drawtext=font=monospace:text='$1 %{pts\\:hms} %{n}':x=(w-tw)/2:y=h*0.78:fontsize=h/9:fontcolor=white:box=1:boxcolor=black@0.7:boxborderw=4" \
    -t 24 -c:v libx264 -preset veryslow -profile:v "$3" -level:v "$4" -pix_fmt yuv420p -threads 1 \
    -bf 0 -g 50 -keyint_min 50 -sc_threshold 0 -b:v "$5" -maxrate "$5" -bufsize "$5" \
    -video_track_timescale 90000 -fflags +bitexact -flags:v +bitexact "$work/$1.mp4"

  mkdir -p "$title/ts/$1"
  ff -i "$work/$1.mp4" -i "$work/audio.aac" -map 0:v -map 1:a -c copy -muxdelay 0.25 -muxpreload 0 \
    -f hls -hls_time 2 -hls_playlist_type vod -hls_list_size 0 -hls_segment_type mpegts -hls_segment_options pat_period=2:mpegts_copyts=1 \
    -hls_segment_filename "$title/ts/$1/%d.ts" "$work/$1-ts.m3u8"
  fragments "$1"
}

fragments() { # name
  mkdir -p "$title/fmp4/$1"
  ff -i "$work/$1.mp4" -map 0 -c copy -fflags +bitexact -f hls -hls_time 2 -hls_playlist_type vod -hls_list_size 0 \
    -hls_segment_type fmp4 -hls_fmp4_init_filename init.mp4 \
    -hls_segment_filename "$title/fmp4/$1/%d.m4s" "$title/fmp4/$1/list.m3u8"
  rm "$title/fmp4/$1/list.m3u8"
}

rendition 144p 256x144 baseline 1.2 60k
rendition 270p 480x270 main 2.1 110k
rendition 360p 640x360 main 3.0 210k
fragments audio

# Playlists, MPDs, subtitles and the single files are written by hand, from what the segments themselves say.
node scripts/write-manifests.mjs "$title"
du -sk "$title"
