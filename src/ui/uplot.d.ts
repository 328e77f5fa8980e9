// The module that the build puts beside the page, under the name by which browsers find it.
import uPlot from 'uplot';

export default uPlot;
