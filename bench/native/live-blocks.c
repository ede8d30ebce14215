/* The C side of live-blocks.bench.ts: the same table of blocks, the same order, the same batches, through the process's malloc.
 *
 *     live-blocks LIVE BYTES SECONDS      prints the median time of a free and a malloc, in ns
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 1000 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  double d = *(const double *)a - *(const double *)b;
  return (d > 0) - (d < 0);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  uint32_t live = strtoul(argv[1], 0, 10), bytes = strtoul(argv[2], 0, 10), state = 88172645;
  double seconds = atof(argv[3]);
  uint32_t batches = (live + BATCH - 1) / BATCH, length = BATCH * (batches > 100 ? batches : 100), at = 0;
  uint32_t *order = malloc(length * sizeof *order);
  void *volatile *blocks = malloc(live * sizeof *blocks);
  size_t most = 1 << 22, count = 0;
  double *times = malloc(most * sizeof *times);
  for (uint32_t i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    order[i] = state % live;
  }
  for (uint32_t i = 0; i < live; i++) blocks[i] = malloc(bytes);
  double start = now(), last = start, warm = start + seconds * 0.3e9;
  while (last < start + seconds * 1e9 && count < most) {
    for (uint32_t end = at + BATCH; at < end; at++) {
      free(blocks[order[at]]);
      blocks[order[at]] = malloc(bytes);
    }
    if (at == length) at = 0;
    double t = now();
    if (t > warm) times[count++] = t - last;
    last = t;
  }
  qsort(times, count, sizeof *times, ascending);
  printf("%.3f\n", times[count / 2] / BATCH);
  return 0;
}
