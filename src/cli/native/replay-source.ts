/**
 * The C program that replays a trace through the malloc of its process, as text: it is compiled where it is wanted, and the package holds
 * no file that is not JavaScript.
 * @module
 */

export const REPLAY_SOURCE: string = String.raw`/* One trace through this process's malloc, or through nothing (-DFLOOR): compiled and run by 'sorites replay --native' and by bench/traces.bench.ts.
 *
 *     replay TRACE PASSES MORE_MS QUIET_NS    TRACE is not compressed, and has been checked
 *     replay --spin                           the fastest time of spin(), in ns
 *
 * It prints  library PATH         where malloc came from
 *            cold NS              an event of the first pass took so long ...
 *            peak BYTES           ... and the process's peak RSS grew by so much in it
 *            pass NS SPIN_NS      of each pass after it: an event's time, and the slower spin before or after the pass
 *
 * The first pass finds a new heap and writes to every page of a block, as its program did. The passes after it write to the first and the
 * last byte. At least PASSES of them are made; then it goes on for MORE_MS at most until five were quiet. Blocks that live at the end of a pass
 * are freed outside of the timed part. The replayer's own tables are mapped and resident before the first pass: no malloc is called for them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MALLOC = 1, CALLOC, REALLOC, MEMALIGN, FREE };
enum { HEADER_BYTES = 64, PAGE = 4096, QUIET_WANTED = 5 };

#ifdef FLOOR
/* Nothing behind the calls: what the loop costs. Writes go to one small buffer. */
enum { FLOOR_BYTES = 65536 };
static char floor_bytes[FLOOR_BYTES];
static void *volatile floor_block = floor_bytes;
#define malloc(n) ((void)(n), floor_block)
#define calloc(n, m) ((void)(n), (void)(m), floor_block)
#define realloc(p, n) ((void)(p), (void)(n), floor_block)
#define aligned(a, n) ((void)(a), (void)(n), floor_block)
#define free(p) __asm__ volatile("" ::"r"(p))
#define WITHIN(n) ((n) > FLOOR_BYTES ? FLOOR_BYTES : (n))
#else
static void *aligned(size_t alignment, size_t n) {
  void *p = 0;
  return posix_memalign(&p, alignment < sizeof p ? sizeof p : alignment, n) == 0 ? p : 0;
}
#define WITHIN(n) (n)
#endif

static uint32_t events, slots, left_count;
static const uint32_t *meta, *slot, *size;
static void **blocks;
static uint32_t *sizes, *left;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static void fail(const char *what) {
  dprintf(2, "replay: %s (errno %d)\n", what, errno);
  exit(1);
}

/* A loop of additions that takes about twice as long while the core's other hyperthread is busy: no other clock shows that. */
static double spin(void) {
  double start = now();
  uint64_t a = 1, b = 2, c = 3, d = 4;
  for (int i = 0; i < 300000; i++) {
    a += i, b ^= i, c += a, d ^= b;
    __asm__ volatile("" ::"r"(a), "r"(b), "r"(c), "r"(d));
  }
  return now() - start;
}

static inline void touch(char *block, size_t from, size_t n, int every_page) {
  n = WITHIN(n);
  if (n == 0) return;
  *(volatile char *)block = 1;
  *(volatile char *)(block + n - 1) = 1;
  if (every_page)
    for (size_t at = (from + PAGE - 1) & -(size_t)PAGE; at < n; at += PAGE) *(volatile char *)(block + at) = 1;
}

/* Compiled twice, so that warm passes pay for nothing that they do not do. */
static inline __attribute__((always_inline)) void pass(const int cold) {
  for (uint32_t i = 0; i < events; i++) {
    const uint32_t at = slot[i];
    const size_t n = size[i];
    size_t from = 0;
    switch (meta[i] & 255) {
    case MALLOC: blocks[at] = malloc(n); break;
    case CALLOC: blocks[at] = calloc(1, n); break;
    case REALLOC: blocks[at] = realloc(blocks[at], n), from = cold ? sizes[at] : 0; break;
    case MEMALIGN: blocks[at] = aligned((size_t)1 << (meta[i] >> 8 & 255), n); break;
    default: free(blocks[at]); continue;
    }
    if (blocks[at] == 0) fail("out of memory");
    touch(blocks[at], from, n, cold);
    if (cold) sizes[at] = n;
  }
}
static __attribute__((noinline)) void cold_pass(void) { pass(1); }
static __attribute__((noinline)) void warm_pass(void) { pass(0); }

static void drain(void) {
  for (uint32_t i = 0; i < left_count; i++) free(blocks[left[i]]);
}

static void *table(size_t bytes) {
  void *p = mmap(0, bytes + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (p == MAP_FAILED) fail("mmap");
  return p;
}

static void load(const char *path) {
  int fd = open(path, O_RDONLY);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) fail(path);
  const char *bytes = mmap(0, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (bytes == MAP_FAILED) fail(path);
  close(fd);
  memcpy(&events, bytes + 8, 4);
  memcpy(&slots, bytes + 12, 4);
  if (memcmp(bytes, "MTRC", 4) != 0 || st.st_size != HEADER_BYTES + 12 * (off_t)events) fail("not a raw trace");
  meta = (const uint32_t *)(bytes + HEADER_BYTES);
  slot = meta + events;
  size = slot + events;
  blocks = table(slots * sizeof *blocks);
  sizes = table(slots * sizeof *sizes);
  left = table(slots * sizeof *left);
  uint8_t *live = table(slots);
  for (uint32_t i = 0; i < events; i++) live[slot[i]] = (meta[i] & 255) != FREE;
  for (uint32_t i = 0; i < slots; i++)
    if (live[i]) left[left_count++] = i;
  munmap(live, slots + 1);
}

static long status_bytes(const char *key) {
  static char text[8192];
  int fd = open("/proc/self/status", O_RDONLY);
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  text[n > 0 ? n : 0] = 0;
  const char *line = strstr(text, key);
  return line ? atol(line + strlen(key)) * 1024 : 0;
}

/* Makes the peak of RSS start anew. */
static void forget_peak(void) {
  int fd = open("/proc/self/clear_refs", O_WRONLY);
  if (fd < 0 || write(fd, "5", 1) != 1) fail("/proc/self/clear_refs");
  close(fd);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--spin") == 0) {
    double least = spin();
    for (int i = 0; i < 1000; i++) {
      double t = spin();
      if (t < least) least = t;
    }
    dprintf(1, "%.0f\n", least);
    return 0;
  }
  if (argc != 5) return 2;
  load(argv[1]);
  const long passes = atol(argv[2]);
  const double more = atof(argv[3]) * 1e6, quiet_ns = atof(argv[4]);
#ifndef FLOOR
  Dl_info info = {0};
  dladdr((void *)malloc, &info);
  dprintf(1, "library %s\n", info.dli_fname ? info.dli_fname : "?");
#endif
  forget_peak();
  const long before = status_bytes("VmRSS:");
  double start = now();
  cold_pass();
  const double cold = now() - start;
  dprintf(1, "cold %.3f\npeak %ld\n", cold / events, status_bytes("VmHWM:") - before);
  drain();
  int quiet = 0;
  start = now();
  for (long done = 0; done < passes || (quiet < QUIET_WANTED && now() - start < more); done++) {
    double around = spin();
    const double began = now();
    warm_pass();
    const double took = now() - began, after = spin();
    if (after > around) around = after;
    if (around <= quiet_ns) quiet++;
    dprintf(1, "pass %.3f %.0f\n", took / events, around);
    drain();
  }
  return 0;
}
`
