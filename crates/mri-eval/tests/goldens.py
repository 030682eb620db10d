"""Makes the numbers in goldens.rs. scikit-image 0.2x, SciPy, NumPy; MS-SSIM written from Wang 2003 with a dense kernel."""
import numpy as np
from scipy.ndimage import binary_erosion, binary_fill_holes, gaussian_gradient_magnitude
from scipy.signal import correlate2d
from scipy.stats import spearmanr, t as student_t, wasserstein_distance
from skimage.exposure import match_histograms
from skimage.filters import threshold_otsu
from skimage.metrics import (normalized_mutual_information, normalized_root_mse, peak_signal_noise_ratio,
                             structural_similarity)


def images(rows, columns):
    r, c = np.mgrid[:rows, :columns]
    truth = (r * r + 3 * c * c + 5 * r * c) // 64 % 256
    noise = (r * 7919 + c * 104729 + r * c * 31) % 256
    output = (truth * 3 + noise) // 4
    for image in (truth, output):
        image[0, 0], image[0, 1] = 0, 255
    return output.astype(float), truth.astype(float)


def ms_ssim(x, y):
    g = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
    kernel = np.outer(g, g) / g.sum() ** 2
    blur = lambda z: correlate2d(z, kernel, 'valid')
    c1, c2, product = (.01 * 255) ** 2, (.03 * 255) ** 2, 1.
    weights = (.0448, .2856, .3001, .2363, .1333)
    for scale, weight in enumerate(weights):
        mx, my = blur(x), blur(y)
        cs = (2 * (blur(x * y) - mx * my) + c2) / (blur(x * x) - mx ** 2 + blur(y * y) - my ** 2 + c2)
        l = (2 * mx * my + c1) / (mx ** 2 + my ** 2 + c1)
        product *= max((cs * l if scale == 4 else cs).mean(), 0) ** weight
        odd = [(0, n % 2) for n in x.shape]
        x, y = (np.pad(z, odd, 'symmetric') for z in (x, y))
        x, y = (z.reshape(z.shape[0] // 2, 2, z.shape[1] // 2, 2).mean((1, 3)) for z in (x, y))
    return product


o, t = images(40, 32)
print('psnr', peak_signal_noise_ratio(t, o, data_range=255))
mean, full = structural_similarity(o, t, data_range=255, gaussian_weights=True, sigma=1.5,
                                   use_sample_covariance=False, full=True)
r, c = np.mgrid[:40, :32]
print('ssim', mean, 'corner', full[0, 0], 'edge', full[39, 7], 'in mask', full[(r + 2 * c) % 3 == 0].mean())
print('mae', np.abs(o - t).mean(), 'nmse', normalized_root_mse(t, o) ** 2)
print('nmi', normalized_mutual_information(o, t, bins=64), 'pearson', np.corrcoef(o.ravel(), t.ravel())[0, 1])
print('ms_ssim', ms_ssim(*images(181, 217)), ms_ssim(*images(161, 170)))
sharp = lambda x: np.sqrt((gaussian_gradient_magnitude(x, 1, mode='nearest')[(r + 2 * c) % 3 == 0] ** 2).mean())
print('sharpness', sharp(o) / sharp(t))
print('otsu', threshold_otsu(t), threshold_otsu(o))
r, c = np.mgrid[:60, :50]
distance = (r - 30) ** 2 + (c - 25) ** 2
head = np.where(distance < 500, 40 + 3 * r, 2.) * ((distance > 400) | (distance < 300))
threshold = threshold_otsu(head)
print('foreground', threshold, binary_fill_holes(head > threshold / 2).sum(), (head > threshold / 2).sum())
outline = binary_fill_holes(head > threshold / 2)
outline[20:40, :30] = True  # a head that the frame cuts off
for radius in (60 / 18, 1, 5.5):
    r, c = np.mgrid[-5:6, -5:6]
    disc = r * r + c * c <= radius * radius
    eroded = binary_erosion(outline, disc)
    rows, columns = np.nonzero(eroded)
    print('eroded', radius, eroded.sum(), rows.sum(), columns.sum(), (rows * columns).sum())
matched = match_histograms(t, o)
print('histogram match', [float(matched[t == level][0]) for level in (0, 64, 128, 255)], matched.mean())
print('histogram distance', wasserstein_distance(o.ravel(), t.ravel()))

# calibration.rs
r, c = np.mgrid[:37, :29]
sd = ((r * 37 + c * 101) % 50 + 1) / 4
error = sd * ((r * 7919 + c * 104729 + r * c * 31) % 33 - 16) / 8
selected = (r + 2 * c) % 3 > 0
s, e = sd[selected], np.abs(error[selected])
rms = lambda x: np.sqrt((x ** 2).mean())
tenths = np.array_split(np.argsort(s, kind='stable'), 10)
bins = [(rms(s[tenth]), rms(e[tenth])) for tenth in tenths]
print('calibration', s.size, 'first bin', bins[0], 'last bin', bins[-1])
print('ence', np.mean([abs(v - m) / v for v, m in bins]), 'spearman', spearmanr(s, e).statistic)
print('last tenth', e[tenths[-1]].sum() / e.sum(), np.sort(e)[-tenths[-1].size:].sum() / e.sum())
print('within', (e <= s).mean(), (e <= 2 * s).mean(), 'scale', rms(e) / rms(s))
for n in (2, 3, 4, 5, 8, 50):
    print('expected of', n, [2 * student_t.cdf(k / np.sqrt(1 + 1 / n), n - 1) - 1 for k in (1, 2)])
