'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const dialog = document.getElementById('viewer'), stage = document.getElementById('stage');
  const tools = document.getElementById('layers'), slider = document.getElementById('slider');
  const flicker = document.getElementById('flicker'), values = document.getElementById('values');
  let canvases = [], names = [], top = 0, below = 0, scale = 1, x = 0, y = 0, timer = 0, current = 0;

  const place = () => {
    const cut = slider.value / 100;
    canvases.forEach((canvas, i) => {
      canvas.style.transform = `translate(${x}px, ${y}px) scale(${scale * canvas.dataset.fit})`;
      canvas.style.visibility = i === top || (i === below && cut < 1) ? 'visible' : 'hidden';
      canvas.style.zIndex = i === top ? 1 : 0;
      canvas.style.clipPath = i === top ? `inset(0 ${(1 - cut) * 100}% 0 0)` : 'none';
    });
  };
  const choose = (i) => {
    if (i === top || i >= names.length) return;
    [below, top] = [top, i];
    mark();
  };
  const mark = () => {
    [...tools.children].forEach((button, i) => button.setAttribute('aria-pressed', i === top));
    place();
  };
  const zoom = (factor, cx = stage.clientWidth / 2, cy = stage.clientHeight / 2) => {
    const next = Math.min(40, Math.max(1, scale * factor)), ratio = next / scale;
    x = cx - (cx - x) * ratio; y = cy - (cy - y) * ratio; scale = next;
    if (scale === 1) x = y = 0;
    place();
  };
  const stop = () => { clearInterval(timer); timer = 0; flicker.setAttribute('aria-pressed', 'false'); };
  const blink = () => {
    if (timer) return stop();
    slider.value = 100;
    flicker.setAttribute('aria-pressed', 'true');
    timer = setInterval(() => choose(below), 450);
  };
  const drawn = (uri) => new Promise((done, failed) => {
    const picture = new Image(), canvas = document.createElement('canvas');
    picture.onload = () => {
      canvas.width = picture.naturalWidth; canvas.height = picture.naturalHeight;
      canvas.getContext('2d', { willReadFrequently: true }).drawImage(picture, 0, 0);
      done(canvas);
    };
    picture.onerror = failed;
    picture.src = uri;
  });
  const fit = () => canvases.forEach((canvas) => {
    canvas.dataset.fit = Math.min(stage.clientWidth / canvas.width, stage.clientHeight / canvas.height);
  });
  const open = async (sample) => {
    const one = data[sample];
    if (!one) return false;
    stop(); current = Number(sample); scale = 1; x = y = 0; top = 0; below = 0; slider.value = 100;
    const link = document.getElementById('viewer-link');
    link.textContent = one.key; link.href = `#${encodeURIComponent(one.key)}`;
    if (!dialog.open) dialog.showModal();
    names = Object.keys(one.layers);
    canvases = await Promise.all(names.map((name) => drawn(one.layers[name])));
    stage.replaceChildren(...canvases);
    const shape = canvases[0].width / canvases[0].height;
    stage.style.aspectRatio = shape;
    stage.style.width = `min(100%, ${62 * shape}vh)`;
    fit();
    tools.replaceChildren(...names.map((name, i) => {
      const button = document.createElement('button');
      button.type = 'button'; button.textContent = `${i + 1} ${name}`; button.onclick = () => { stop(); choose(i); };
      return button;
    }));
    below = Math.min(1, names.length - 1);
    numbers(one); mark();
    return true;
  };
  const numbers = (one) => {
    const rows = one.problems.map((told) => row([told], true));
    one.numbers.forEach(([kind, name, value, limit, unit, wrong]) =>
      rows.push(row([kind, name, `${value.toPrecision(3)} ${unit}`, `at most ${limit.toPrecision(3)}`], wrong)));
    document.getElementById('viewer-numbers').replaceChildren(...rows);
  };
  const row = (cells, wrong) => {
    const line = document.createElement('tr');
    cells.forEach((text) => {
      const cell = document.createElement('td');
      cell.textContent = text; if (wrong) cell.className = 'wrong'; if (cells.length === 1) cell.colSpan = 4;
      line.append(cell);
    });
    return line;
  };
  const step = (by) => {
    const keys = Object.keys(data).map(Number), at = keys.indexOf(current) + by;
    if (at >= 0 && at < keys.length) open(keys[at]);
  };

  document.addEventListener('click', (event) => {
    const link = event.target.closest('[data-sample]');
    if (link && data[link.dataset.sample]) { event.preventDefault(); open(link.dataset.sample); }
  });
  document.getElementById('find')?.addEventListener('input', (event) => {
    const words = event.target.value.toLowerCase();
    document.querySelectorAll('#gallery > li').forEach((item) => { item.hidden = !item.dataset.text.toLowerCase().includes(words); });
  });
  slider.addEventListener('input', () => { stop(); place(); });
  flicker.onclick = blink;
  document.getElementById('in').onclick = () => zoom(1.6);
  document.getElementById('out').onclick = () => zoom(1 / 1.6);
  dialog.addEventListener('close', stop);
  window.addEventListener('resize', () => { scale = 1; x = y = 0; fit(); place(); });
  stage.addEventListener('wheel', (event) => {
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  stage.addEventListener('pointermove', (event) => {
    if (event.buttons) { x += event.movementX; y += event.movementY; place(); }
    const box = stage.getBoundingClientRect();
    values.textContent = canvases.map((canvas, i) => {
      const size = scale * canvas.dataset.fit;
      const px = Math.floor((event.clientX - box.left - x) / size), py = Math.floor((event.clientY - box.top - y) / size);
      if (px < 0 || py < 0 || px >= canvas.width || py >= canvas.height) return '';
      const rgb = canvas.getContext('2d').getImageData(px, py, 1, 1).data;
      return `${names[i]} ${rgb[0]} ${rgb[1]} ${rgb[2]}`;
    }).filter(Boolean).join(' · ');
  });
  dialog.addEventListener('keydown', (event) => {
    const typed = event.key;
    if (event.target === slider && typed.startsWith('Arrow')) return;
    if (/^[1-9]$/.test(typed)) { stop(); choose(Number(typed) - 1); }
    else if (typed === 'f') blink();
    else if (typed === 's') { stop(); slider.value = slider.value === '50' ? 100 : 50; place(); }
    else if (typed === '+' || typed === '=') zoom(1.6);
    else if (typed === '-') zoom(1 / 1.6);
    else if (typed === 'ArrowRight') step(1);
    else if (typed === 'ArrowLeft') step(-1);
  });
  const follow = () => { // a link by key: page.html#KEY
    let wanted = '';
    try { wanted = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    const sample = wanted && Object.keys(data).find((i) => data[i].key === wanted || `sample-${i}` === wanted);
    if (sample) return open(sample);
    [...document.querySelectorAll('#gallery > li')].find((item) => wanted && item.dataset.key === wanted)?.scrollIntoView();
  };
  window.addEventListener('hashchange', follow);
  follow();
})();
